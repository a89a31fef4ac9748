import { constants } from 'node:crypto';
import { Server as HttpServer } from 'node:http';
import type { Http2Server } from 'node:http2';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { type Clock, systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { createStrangers } from '../base/strangers.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { writeX509Svid } from '../spiffe/x509-svid-file.ts';
import type { Authorizer } from './authorizers.ts';
import { verifyPeerOf } from './peer.ts';
import type { X509Svid } from './responses.ts';
import type { X509Material } from './x509-source.ts';

/** An `X509Source`, or whatever else tells of the newest SVID. */
export type ServerSource = X509Material & {
  updates(signal: AbortSignal): AsyncIterable<unknown>;
};

export type MtlsServerOptions = {
  readonly source: ServerSource;
  /** Which clients are let in. */
  readonly authorize: Authorizer;
  /**
   * Who gets the connections of authorized clients: a plain server of `node:http` or `node:http2` (one that does not
   * listen itself), or a function. `peerIdOf(request.socket)` is the client's ID there.
   */
  readonly serve: HttpServer | Http2Server | ((socket: TLSSocket) => void);
  /** What is spoken (ALPN); by default what `serve` speaks. */
  readonly protocols?: readonly string[] | undefined;
  /** Told why a connection was refused. */
  readonly refused?: ((error: Error) => void) | undefined;
  /** How long a client may take to say who it is; 20 seconds by default. */
  readonly handshakeMilliseconds?: number | undefined;
  /** For tests. */
  readonly clock?: Pick<Clock, 'now'> | undefined;
};

const HANDSHAKE_MILLISECONDS = 20_000;

/**
 * A TLS server that presents the newest SVID, asks for the client's, and hands on only what comes from authorized
 * clients. It listens, closes and fails as every `net.Server` does: `maxConnections` limits what it takes. Of clients
 * that have not said yet who they are, it keeps the newest thousand.
 *
 *     createMtlsServer({ source, authorize: authorizeMemberOf('example.org'), serve: http.createServer(app) }).listen(8443);
 */
export function createMtlsServer(options: MtlsServerOptions): Server {
  const { source, authorize, serve, refused = () => {}, clock = systemClock } = options;
  const strangers = createStrangers();
  const bundleOf = (trustDomain: TrustDomain) => source.bundleOf(trustDomain);
  const server = createServer({
    ...contextOf(source.svid),
    ALPNProtocols: [...(options.protocols ?? protocolsOf(serve))],
    requestCert: true,
    // The bundle of the client's own trust domain decides, after the handshake.
    rejectUnauthorized: false,
    handshakeTimeout: options.handshakeMilliseconds ?? HANDSHAKE_MILLISECONDS,
  });
  server.on('connection', (socket) => {
    strangers.add(socket);
  });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {}); // a client that is gone is no news; who serves hears of it too
    verifyPeerOf(socket, { bundleOf, authorize, clock }).then(
      () => {
        strangers.isKnown(socket);
        if (socket.destroyed) return;
        if (typeof serve === 'function') serve(socket);
        else serve.emit('connection', socket);
      },
      (error: Error) => {
        socket.destroy();
        refused(error);
      },
    );
  });
  server.on('tlsClientError', (error, socket) => {
    socket.destroy(); // Node leaves open what only took too long
    refused(error);
  });
  server.once('listening', () => {
    // Servers of node:http begin to watch over slow requests with this.
    if (serve instanceof HttpServer) serve.emit('listening');
  });
  followRotation(server, source);
  return server;
}

const protocolsOf = (serve: MtlsServerOptions['serve']): readonly string[] => {
  if (typeof serve === 'function') return [];
  return serve instanceof HttpServer ? ['http/1.1'] : ['h2'];
};

/** Connections that are there stay; those to come see the newest SVID. */
function followRotation(server: Server, source: ServerSource): void {
  const closed = new AbortController();
  server.once('close', () => {
    closed.abort();
  });
  const follow = async () => {
    for await (const _ of source.updates(closed.signal)) {
      server.setSecureContext(contextOf(source.svid));
    }
  };
  follow().catch((error: unknown) => {
    server.emit('error', new Fault('internal', 'the SVID cannot be used', { cause: error }));
  });
}

function contextOf(svid: X509Svid): TlsOptions {
  const { certificatesPem, privateKeyPem } = writeX509Svid(svid);
  return {
    cert: certificatesPem,
    key: privateKeyPem,
    ca: [],
    minVersion: 'TLSv1.2',
    // A resumed session would not be verified again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
