import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { Fault, reasonOf } from '../../base/fault.ts';
import { presentedChain } from '../../base/presented-chain.ts';
import { createStrangers } from '../../base/strangers.ts';
import type { Log } from '../../ops/log.ts';
import { bind } from './bind.ts';
import type { TcpPeer } from './peer.ts';
import { plainAddress } from './plain-address.ts';
import type { ProxiedSources } from './proxy-protocol/proxied-sources.ts';
import type { ClaimedSource } from './proxy-protocol/proxy-header.ts';
import type { ServerSvidRotator } from './server-svid.ts';
import { tlsContext } from './tls-context.ts';
import type { VerifyClient } from './verify-client.ts';

/** Each agent keeps one; what is beyond is turned away, so that memory and descriptors have a bound. */
const MAX_CONNECTIONS = 10_000;
/** Whoever has not said who he is by then is turned away. */
const HANDSHAKE_TIMEOUT_MILLISECONDS = 20_000;
/** Finds peers that are gone without a word, as Go's listeners do. */
const KEEP_ALIVE_MILLISECONDS = 15_000;

export type TcpListenerOptions = {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly svid: Pick<ServerSvidRotator, 'current' | 'onRotated'>;
  readonly verifyClient: VerifyClient;
  /** Undefined: nobody speaks the PROXY protocol. */
  readonly proxied: ProxiedSources | undefined;
  /** Called once it is known who is there; the socket carries HTTP/2. */
  readonly onPeer: (socket: TLSSocket, peer: TcpPeer) => void;
  /** Called if the listener breaks down later. */
  readonly onFailure: (error: Error) => void;
  readonly log: Log;
};

export type TcpListener = Disposable & { readonly address: AddressInfo };

/**
 * Listens for agents, downstream servers and remote administrators. Disposing it turns away whoever is not known
 * yet; the other connections belong to whom they were given.
 */
export async function listenTcp(options: TcpListenerOptions): Promise<TcpListener> {
  const { host, port, svid, onFailure } = options;
  const strangers = createStrangers();
  const tls = tlsServer(options, (socket) => {
    strangers.isKnown(socket);
  });
  const listener = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MILLISECONDS },
    (socket) => {
      strangers.add(socket);
      if (options.proxied === undefined) tls.emit('connection', socket);
      else void hear(socket, options.proxied, tls, options.log);
    },
  );
  listener.maxConnections = MAX_CONNECTIONS;
  const address = await bind(listener, host, port);
  listener.on('error', onFailure);
  const stopRotating = svid.onRotated((renewed) => {
    tls.setSecureContext(tlsContext(renewed));
  });
  return {
    address,
    [Symbol.dispose]() {
      stopRotating();
      listener.close();
      strangers.turnAway();
    },
  };
}

/** Hands the connection on when it is known where it comes from. */
async function hear(
  socket: Socket,
  proxied: ProxiedSources,
  tls: TlsServer,
  log: Log,
): Promise<void> {
  // A reset while we listen is no news: the socket is destroyed then.
  const ignore = () => undefined;
  socket.on('error', ignore);
  try {
    await proxied.hear(socket);
    if (!socket.destroyed) tls.emit('connection', socket);
  } catch (error) {
    log.debug('Connection refused', { error: reasonOf(error) });
    socket.destroy();
  }
}

/** Never listens itself: it is given connections. */
function tlsServer(options: TcpListenerOptions, onKnown: (socket: TLSSocket) => void): TlsServer {
  const server = createTlsServer({
    ...tlsContext(options.svid.current()),
    ALPNProtocols: ['h2'],
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MILLISECONDS,
  });
  server.on('secureConnection', (socket) => {
    void welcome(socket, options).finally(() => {
      onKnown(socket);
    });
  });
  server.on('tlsClientError', (error, socket) => {
    options.log.debug('TLS handshake failed', { error });
    socket.destroy();
  });
  return server;
}

/** Nothing of what the client sends is read before it is known who sends it. */
async function welcome(
  socket: TLSSocket,
  { verifyClient, proxied, onPeer, log }: TcpListenerOptions,
): Promise<void> {
  // A reset while we look is no news: the socket is destroyed then.
  socket.on('error', () => undefined);
  try {
    const peer = await peerOf(socket, proxied?.of(socket), verifyClient);
    if (!socket.destroyed) onPeer(socket, peer);
  } catch (error) {
    log.debug('Connection refused', { error: reasonOf(error) });
    socket.destroy();
  }
}

async function peerOf(
  socket: TLSSocket,
  claimed: ClaimedSource | undefined,
  verifyClient: VerifyClient,
): Promise<TcpPeer> {
  const { alpnProtocol, remoteAddress, remotePort } = socket;
  if (alpnProtocol !== 'h2') {
    throw new Fault('failed-precondition', 'the client does not speak HTTP/2 (ALPN h2)');
  }
  if (remoteAddress === undefined || remotePort === undefined) {
    throw new Fault('unavailable', 'the client is gone');
  }
  const seen = { address: plainAddress(remoteAddress), port: remotePort };
  const source = { kind: 'tcp', ...(claimed ?? seen) } as const;
  const presented = presentedChain(socket);
  if (presented.length === 0) return { ...source, chain: [], id: undefined };
  return { ...source, ...(await verifyClient(presented)) };
}
