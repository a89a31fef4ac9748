import type { TLSSocket } from 'node:tls';
import { Fault } from './fault.ts';

/** A leaf, and the authorities of a deep tree of servers; what is longer is meant to cost us time. */
export const MAX_CHAIN_CERTIFICATES = 16;

/** The certificates (DER) that the peer sent, leaf first; none if it has none. Throws 'invalid' for too many. */
export function presentedChain(socket: Pick<TLSSocket, 'getPeerX509Certificate'>): Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (
    let next = socket.getPeerX509Certificate();
    next !== undefined;
    next = next.issuerCertificate
  ) {
    if (chain.length === MAX_CHAIN_CERTIFICATES) {
      throw new Fault('invalid', 'the peer presents too many certificates');
    }
    chain.push(next.raw);
  }
  return chain;
}
