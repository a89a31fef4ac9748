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
 * host name plays no part in that. Rejects with what was wrong, or with the signal's reason; a server that takes longer
 * than 10 seconds to answer, or 20 to finish its handshake, is given up.
 */
export async function connectMtls(options: MtlsConnectOptions): Promise<TLSSocket> {
  const { signal } = options;
  signal?.throwIfAborted();
  const socket = connect({ host: options.host, port: options.port, noDelay: true });
  const giveUp = () => {
    socket.destroy();
  };
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await connected(socket, options);
    return await secureMtls(socket, options);
  } catch (error) {
    socket.destroy();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

async function secureMtls(socket: Socket, options: MtlsConnectOptions): Promise<TLSSocket> {
  const { host, protocols = [] } = options;
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

function connected(
  socket: Socket,
  { host, port }: Pick<MtlsConnectOptions, 'host' | 'port'>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    reject(new Fault('deadline', `${host}:${port} does not answer`));
  }, CONNECT_MILLISECONDS);
  const closed = () => {
    reject(new Fault('canceled', 'the connection was given up'));
  };
  socket.once('connect', resolve);
  socket.once('error', reject);
  socket.once('close', closed);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.removeListener('error', reject);
    socket.removeListener('close', closed);
    socket.on('error', () => {}); // of what is given up later
  });
}
