import { connect, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { type ClientTls, secure } from '../rpc/client-tls.ts';
import type { Bundle } from '../spiffe/bundle.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { Authorizer } from './authorizers.ts';
import { namePeer, verifyPeer } from './peer.ts';
import type { X509Svid } from './responses.ts';

export type MtlsClientOptions = {
  /** An `X509Source`; or a `BundleSource`, where the server asks for no SVID. */
  readonly source: {
    readonly svid?: X509Svid;
    bundleOf(trustDomain: TrustDomain): Bundle | undefined;
  };
  /** Which servers to talk to. */
  readonly authorize: Authorizer;
  /** For tests. */
  readonly clock?: Pick<Clock, 'now'> | undefined;
};

export type MtlsConnectOptions = MtlsClientOptions & {
  readonly host: string;
  readonly port: number;
  /** What is spoken over it, in order of preference (ALPN). */
  readonly protocols?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
};

const CONNECT_MILLISECONDS = 10_000;

/**
 * Connects, presents the own SVID, and verifies the server's: nothing is sent before its SPIFFE ID is authorized. The
 * host name plays no part in that. Rejects with what was wrong.
 */
export async function connectMtls(options: MtlsConnectOptions): Promise<TLSSocket> {
  const { host, port, protocols = [], signal } = options;
  const timeout = AbortSignal.timeout(CONNECT_MILLISECONDS);
  const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const socket = await connected(host, port, ended);
  return secureMtls(socket, host, options, protocols);
}

/** The same over a connection that is there. */
export async function secureMtls(
  socket: Socket,
  host: string,
  options: MtlsClientOptions,
  protocols: readonly string[],
): Promise<TLSSocket> {
  let peer: SpiffeId | undefined;
  const tls = clientTls(options, (id) => {
    peer = id;
  });
  const secured = await secure(socket, host, tls, protocols);
  if (peer === undefined) throw new Fault('internal', 'the server was not verified');
  namePeer(secured, peer);
  return secured;
}

/** What `rpc` makes TLS connections by. */
export function clientTls(
  { source, authorize, clock = systemClock }: MtlsClientOptions,
  verified: (id: SpiffeId) => void = () => {},
): ClientTls {
  const bundleOf = (trustDomain: TrustDomain) => source.bundleOf(trustDomain);
  return {
    identity: () =>
      source.svid && {
        chain: source.svid.chain.map(({ der }) => der),
        privateKey: source.svid.privateKey,
      },
    verify: async (chain) => {
      verified(await verifyPeer(chain, { bundleOf, authorize, clock }));
    },
  };
}

function connected(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port, noDelay: true });
  const giveUp = () => {
    socket.destroy();
    reject(signal.reason);
  };
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  socket.once('error', reject);
  socket.once('connect', () => {
    resolve(socket);
  });
  return promise.finally(() => {
    signal.removeEventListener('abort', giveUp);
    socket.removeListener('error', reject);
  });
}
