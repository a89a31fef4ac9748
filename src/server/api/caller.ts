import { Fault, reasonOf } from '../../base/fault.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import type { LogFields } from '../../ops/log.ts';
import type { Agent } from '../../spiffe/agent.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { Peer, TcpPeer } from '../endpoints/peer.ts';

/** Who is at the other end, before it is known what they may do (`reference/server.md` §5.4). */
export type Identity = LocalIdentity | AnonymousIdentity | SvidIdentity;
export type LocalIdentity = {
  readonly kind: 'local';
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
};
export type AnonymousIdentity = { readonly kind: 'anonymous'; readonly source: TcpSource };
export type SvidIdentity = {
  readonly kind: 'svid';
  readonly source: TcpSource;
  readonly id: SpiffeId;
  readonly leaf: Pick<Certificate, 'serialNumber' | 'notAfter'>;
};
export type TcpSource = Pick<TcpPeer, 'address' | 'port'>;

/** What somebody was let through as: the first rule of the method that fits (`reference/server.md` §5.4). */
export type Caller =
  /** Anyone may call that method, and it was not asked who it is. */
  | { readonly kind: 'nobody' }
  | { readonly kind: 'local' }
  | { readonly kind: 'admin'; readonly id: SpiffeId; readonly via: 'config' | 'entries' }
  /** With all entries of that ID that are flagged so. */
  | { readonly kind: 'downstream'; readonly id: SpiffeId; readonly entries: readonly Entry[] }
  | { readonly kind: 'agent'; readonly id: SpiffeId; readonly agent: Agent };

/** Throws 'unauthenticated' if the certificate names nobody. */
export function identify(peer: Peer): Identity {
  if (peer.kind === 'local') return peer;
  const source = { address: peer.address, port: peer.port };
  const [leaf] = peer.chain;
  if (leaf === undefined) return { kind: 'anonymous', source };
  return { kind: 'svid', source, id: peer.id ?? idOf(leaf), leaf };
}

/** Fields that say who calls: in every line of the call's log. */
export function identityFields(identity: Identity): LogFields {
  if (identity.kind === 'local') return {};
  return {
    caller_addr: sourceText(identity.source),
    ...(identity.kind === 'svid' && { caller_id: identity.id.toString() }),
  };
}

/** Fields that say why the caller was let through. */
export const authorizationFields = (caller: Caller): LogFields => ({
  authorized_as: caller.kind,
  authorized_via: via(caller),
});

/** `host:port`, as Go writes it. */
export const sourceText = ({ address, port }: TcpSource): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

function via(caller: Caller): string {
  switch (caller.kind) {
    case 'nobody':
      return '';
    case 'local':
      return 'transport';
    case 'admin':
      return caller.via;
    case 'downstream':
      return 'entries';
    case 'agent':
      return 'datastore';
    default:
      return caller satisfies never;
  }
}

function idOf({ uris }: Pick<Certificate, 'uris'>): SpiffeId {
  const [uri] = uris;
  if (uri === undefined) {
    throw new Fault('unauthenticated', 'client certificate has no URI SAN');
  }
  if (uris.length > 1) {
    throw new Fault('unauthenticated', 'client certificate has more than one URI SAN');
  }
  try {
    return SpiffeId.parse(uri);
  } catch (error) {
    throw new Fault(
      'unauthenticated',
      `client certificate has a malformed URI SAN: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}
