import { Fault, wrapFault } from '../../base/fault.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import type { ManagedKey } from '../../plugins/key-manager/contract.ts';
import type { TlsIdentity } from '../../rpc/client-tls.ts';
import type { X509SVID as ProtoX509Svid } from '../../wire/gen/spire/api/types/x509svid_pb.ts';

/** The agent's own identity towards the server. */
export type AgentSvid = {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly leaf: Certificate;
  readonly key: ManagedKey;
  /** Whether the node attestation can be done again. */
  readonly reattestable: boolean;
};

/** Throws 'invalid' if the leaf is no certificate, or there is none. */
export function agentSvid(
  chain: readonly Uint8Array[],
  key: ManagedKey,
  reattestable: boolean,
): AgentSvid {
  const [leaf] = chain;
  if (leaf === undefined) throw new Fault('invalid', 'empty SVID cert chain');
  return { chain, leaf: parseCertificate(leaf), key, reattestable };
}

/** The chain that a server answered with, in bytes of our own. Throws 'invalid' with the reference's words. */
export function chainFromServer(svid: ProtoX509Svid | undefined): readonly Uint8Array[] {
  if (svid === undefined) throw new Fault('invalid', 'attest response is missing SVID');
  if (svid.certChain.length === 0) throw new Fault('invalid', 'empty SVID cert chain');
  for (const der of svid.certChain) {
    try {
      parseCertificate(der);
    } catch (error) {
      throw wrapFault('invalid SVID cert chain', error);
    }
  }
  return svid.certChain.map((der) => Uint8Array.from(der));
}

/** What the agent shows of itself in TLS. Throws where its key cannot leave the key manager. */
export function tlsIdentity({ chain, key }: AgentSvid): TlsIdentity {
  if (key.toPkcs8 === undefined) {
    throw new Fault(
      'failed-precondition',
      `the key manager does not give out the key "${key.id}", which TLS connections to the server need`,
    );
  }
  return { chain, privateKey: key.toPkcs8() };
}

/** The SPIFFE ID as text, for the log; empty if there is none. */
export const agentIdText = ({ leaf }: Pick<AgentSvid, 'leaf'>): string => leaf.uris[0] ?? '';
