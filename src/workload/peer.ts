import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type Clock, unixSeconds } from '../base/clock.ts';
import { presentedChain } from '../base/presented-chain.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { type BundleSource as BundleOf, verifyX509Svid } from '../spiffe/x509-svid.ts';
import type { Authorizer } from './authorizers.ts';

const PEER_ID = Symbol('SPIFFE ID of the peer');
type Named = { [PEER_ID]?: SpiffeId };

/** Whom a side believes, and whom of these it talks to. */
export type PeerRule = {
  readonly bundleOf: BundleOf;
  readonly authorize: Authorizer;
  readonly clock: Pick<Clock, 'now'>;
};

/**
 * The chain that the peer presented must verify with the bundle of its own trust domain, and the ID in it be authorized.
 * Rejects otherwise.
 */
export async function verifyPeer(
  chain: readonly Uint8Array[],
  { bundleOf, authorize, clock }: PeerRule,
): Promise<SpiffeId> {
  const { id } = await verifyX509Svid(chain, bundleOf, unixSeconds(clock));
  authorize(id);
  return id;
}

export async function verifyPeerOf(socket: TLSSocket, rule: PeerRule): Promise<SpiffeId> {
  const id = await verifyPeer(presentedChain(socket), rule);
  namePeer(socket, id);
  return id;
}

export const namePeer = (socket: TLSSocket, id: SpiffeId): void => {
  (socket as Named)[PEER_ID] = id;
};

/**
 * The verified SPIFFE ID of the process at the other end: of `request.socket` in a handler, or of a socket that
 * `connectMtls` gave. Undefined if it presented no SVID.
 */
export const peerIdOf = (socket: Duplex): SpiffeId | undefined => (socket as Named)[PEER_ID];
