import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { reasonOf } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import { bind } from '../../endpoints/bind.ts';
import type { BundleAnswer } from './bundle-answers.ts';
import { type ConnectionLimits, type Connections, createConnections } from './connections.ts';
import type { EndpointIdentity } from './endpoint-identity.ts';

export type HttpsOptions = {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly identity: EndpointIdentity;
  readonly answer: (method: string, target: string) => BundleAnswer;
  /** Called if the listener breaks down later. */
  readonly onFailure: (error: Error) => void;
  readonly log: Log;
  /** Only tests know better. */
  readonly limits?: Partial<HttpsLimits>;
};

export type HttpsLimits = ConnectionLimits & { readonly connections: number };

/** Whoever does not come, ask one thing and go must cost others nothing. */
const LIMITS: HttpsLimits = {
  connections: 2000,
  strangers: 1000,
  requestMilliseconds: 10_000, // `reference/server.md` §5.3
  connectionMilliseconds: 60_000,
};

/** What one HTTP/2 connection may hold, in megabytes, and ask at once. */
const HTTP2 = { maxSessionMemory: 1, settings: { maxConcurrentStreams: 16 } };

/**
 * TLS 1.2 or later with the suites of Mozilla's intermediate profile (SPIFFE Federation §5.2). Nobody is asked for
 * a certificate.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

const asServed = ({ cert, key }: SecureContextOptions): SecureContextOptions => ({
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
  ciphers: CIPHERS,
  minVersion: 'TLSv1.2',
});

/** Serves HTTP/1.1 and HTTP/2. Disposing it ends all connections at once. */
export async function serveHttps(
  options: HttpsOptions,
): Promise<AsyncDisposable & { readonly address: AddressInfo }> {
  const { host, port, identity, log } = options;
  const limits = { ...LIMITS, ...options.limits };
  const connections = createConnections(limits);
  const https = httpsServer(options, connections);
  const listener = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    // A reset is no news: the socket is destroyed then.
    socket.on('error', () => undefined);
    admit(socket, identity).then(
      (admitted) => admitted && https.emit('connection', socket),
      (error: unknown) => {
        log.debug('Connection refused', { error: reasonOf(error) });
        socket.destroy();
      },
    );
  });
  listener.maxConnections = limits.connections;
  const address = await bind(listener, host, port);
  listener.on('error', options.onFailure);
  const stopFollowing = identity.onChange((renewed) => {
    https.setSecureContext(asServed(renewed));
  });
  return {
    address,
    async [Symbol.asyncDispose]() {
      stopFollowing();
      const { promise, resolve } = Promise.withResolvers<void>();
      listener.close(() => {
        resolve();
      });
      connections.destroyAll();
      await promise;
    },
  };
}

const admit = async (socket: Socket, { admit: ask }: EndpointIdentity): Promise<boolean> =>
  ask === undefined || ask(socket);

/** Never listens itself: it is given connections. */
function httpsServer(
  { identity, answer, log }: HttpsOptions,
  connections: Connections,
): Http2SecureServer {
  const https = createSecureServer({
    ...asServed(identity.current() ?? {}),
    ...HTTP2,
    allowHTTP1: true,
  });
  https.on('tlsClientError', (error, socket) => {
    log.debug('TLS handshake failed', { error });
    socket.destroy();
  });
  https.on('sessionError', (error) => {
    log.debug('HTTP/2 connection failed', { error });
  });
  https.on('request', (request, response) => {
    connections.hasAsked(request.socket);
    const { status, headers, body } = answer(request.method, request.url);
    response.on('error', () => undefined); // a client that has gone needs no answer
    response.writeHead(status, headers);
    response.end(body);
  });
  return https;
}
