import { constants } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import { Fault, reasonOf } from '../../base/fault.ts';
import { nodeHttp } from '../../base/node-http.ts';
import { postQuantumTls } from '../../base/post-quantum.ts';
import { presentedChain } from '../../base/presented-chain.ts';
import { crowdOut, listenHttp } from '../listen-http.ts';
import type { Log } from '../log.ts';
import type { ScrapeTls, TlsPair } from './scrape-tls.ts';

/** Whoever has not asked by then is turned away (`reference/server.md` §4.1). */
const ASK_MILLISECONDS = 10_000;
/** A scraper that keeps its connection asks again within a minute or two. */
const IDLE_TIMEOUT_MILLISECONDS = 180_000;
/** A few scrapers; beyond it the connection that is there longest makes room. */
const MAX_CONNECTIONS = 100;

/** Resolves with the SPIFFE ID of a chain (DER, leaf first) that some bundle verifies. Throws if none does. */
export type VerifyChain = (chain: readonly Uint8Array[]) => Promise<string>;

export type ScrapesOptions = {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly exposition: () => Promise<string>;
  readonly tls: ScrapeTls | undefined;
  readonly log: Log;
  /** Only tests know better. */
  readonly askMilliseconds?: number;
};

export interface Scrapes extends AsyncDisposable {
  readonly address: AddressInfo;
  /** What TLS presents from now on. Until the first one no handshake succeeds. Throws if it is no pair. */
  present(pair: TlsPair): void;
  /** Who verifies the SVIDs of clients. Until then none is let in. */
  verifyWith(verify: VerifyChain): void;
}

/** Answers every request, whatever its path, with all metrics. Rejects if it cannot listen. */
export async function serveScrapes(options: ScrapesOptions): Promise<Scrapes> {
  const { host, port, tls, log } = options;
  const http = answering(options);
  let verify: VerifyChain = () => Promise.reject(new Fault('unavailable', 'not ready yet'));
  const secure = tls && (await tlsServer(tls, http, (chain) => verify(chain), log));
  // It is given its connections, and would not look at how long they take.
  if (secure !== undefined) http.emit('listening');
  const listener: Server = secure ?? http;
  crowdOut(listener, MAX_CONNECTIONS);
  const address = await listenHttp(listener, host, port);
  listener.on('error', (error) => {
    log.warn(`Prometheus listener stopped unexpectedly: ${reasonOf(error)}`);
  });
  return {
    address,
    present(pair) {
      secure?.setSecureContext(tlsContext(pair, tls));
    },
    verifyWith(next) {
      verify = next;
    },
    async [Symbol.asyncDispose]() {
      const { promise, resolve } = Promise.withResolvers<void>();
      listener.close(() => {
        resolve();
      });
      http.closeAllConnections();
      if (secure !== undefined) http.close();
      secure?.turnAway();
      await promise;
    },
  };
}

function answering({
  exposition,
  askMilliseconds = ASK_MILLISECONDS,
  log,
}: ScrapesOptions): HttpServer {
  const server = nodeHttp().createServer(
    {
      headersTimeout: askMilliseconds,
      requestTimeout: askMilliseconds,
      connectionsCheckingInterval: askMilliseconds,
      keepAliveTimeout: IDLE_TIMEOUT_MILLISECONDS,
    },
    (request, response) => {
      request.resume(); // nobody has anything to tell us
      exposition().then(
        (text) => {
          response.writeHead(200, {
            'Content-Type': 'text/plain; version=0.0.4; charset=utf-8',
            'Content-Length': Buffer.byteLength(text),
          });
          response.end(text);
        },
        (error: unknown) => {
          log.error('Could not answer a scrape', { error: reasonOf(error) });
          response.writeHead(500).end();
        },
      );
    },
  );
  server.setTimeout(IDLE_TIMEOUT_MILLISECONDS);
  return server;
}

/** SPIRE's minimum; a resumed session would skip the check of the client's chain. */
const tlsContext = (pair: TlsPair | undefined, tls: ScrapeTls | undefined) => ({
  ...pair,
  ca: tls?.clientCa ?? [],
  minVersion: 'TLSv1.2' as const,
  ...(tls?.postQuantumOnly === true && postQuantumTls),
  secureOptions: constants.SSL_OP_NO_TICKET,
});

type SecureServer = TlsServer & { turnAway(): void };

async function tlsServer(
  tls: ScrapeTls,
  http: HttpServer,
  verify: VerifyChain,
  log: Log,
): Promise<SecureServer> {
  const { clientCa, authorizedIds } = tls;
  const { createServer } = await import('node:tls');
  const handshaking = new Set<{ destroy(): void }>();
  const server = createServer({
    ...tlsContext(undefined, tls),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: ASK_MILLISECONDS,
    requestCert: clientCa !== undefined || authorizedIds.size > 0,
    rejectUnauthorized: clientCa !== undefined,
  });
  server.on('connection', (socket) => {
    handshaking.add(socket);
    socket.once('close', () => handshaking.delete(socket));
  });
  server.on('tlsClientError', (error, socket) => {
    log.debug('TLS handshake of a scrape failed', { error: reasonOf(error) });
    socket.destroy();
  });
  const welcome = async (socket: TLSSocket): Promise<void> => {
    socket.on('error', () => undefined); // a reset while we look is no news
    try {
      if (authorizedIds.size > 0) {
        const id = await verify(clientChain(socket));
        if (!authorizedIds.has(id)) throw new Fault('denied', `unexpected ID "${id}"`);
      }
      if (!socket.destroyed) http.emit('connection', socket);
    } catch (error) {
      log.debug('A scrape was refused', { error: reasonOf(error) });
      socket.destroy();
    }
  };
  server.on('secureConnection', (socket) => void welcome(socket));
  return Object.assign(server, {
    turnAway() {
      for (const socket of handshaking) socket.destroy();
    },
  });
}

function clientChain(socket: TLSSocket): readonly Uint8Array[] {
  const chain = presentedChain(socket);
  if (chain.length > 0) return chain;
  throw new Fault('unauthenticated', 'the client presents no certificate');
}
