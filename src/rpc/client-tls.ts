import { isIP, type Socket } from 'node:net';
import { createSecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { CallCredentials, ChannelCredentials } from '@grpc/grpc-js';
import { Fault, reasonOf } from '../base/fault.ts';
import { postQuantumTls } from '../base/post-quantum.ts';
import { presentedChain } from '../base/presented-chain.ts';
import { writePem } from '../crypto/pem.ts';
import { connectThrough } from './connect-through.ts';
import type { HttpProxy } from './http-proxy.ts';

export type TlsIdentity = {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
};

export type ClientTls = {
  /** Asked for anew with each connection. Undefined: no client certificate. */
  readonly identity?: (() => TlsIdentity | undefined) | undefined;
  /**
   * Called with the server's chain (DER, leaf first) after the handshake and before the first byte is sent. Throws to
   * refuse. Nothing else checks the server: there are no names in SPIFFE's certificates that TLS could check.
   */
  readonly verify: (chain: readonly Uint8Array[]) => Promise<void> | void;
  /** Agrees on keys in no way that a quantum computer could undo (`require_pq_kem`). */
  readonly postQuantumOnly?: boolean | undefined;
};

/** A server that does not finish its handshake in this time is given up. */
const HANDSHAKE_MILLISECONDS = 20_000;

/** Told why a connection is of no use, and at which step that came out. */
export type OnFailedConnection = (reason: string, step: 'proxy' | 'handshake') => void;

/**
 * Credentials for grpc-js that make and verify the TLS connection themselves. With a proxy, connections are made to
 * that, and it passes them on to `address`.
 */
export const tlsCredentials = (
  address: string,
  tls: ClientTls,
  failed: OnFailedConnection,
  proxy?: HttpProxy,
): ChannelCredentials => new VerifiedTls({ address, tls, failed, proxy });

type TlsCredentialsOptions = {
  readonly address: string;
  readonly tls: ClientTls;
  readonly failed: OnFailedConnection;
  readonly proxy: HttpProxy | undefined;
};

class VerifiedTls extends ChannelCredentials {
  readonly #options: TlsCredentialsOptions;

  constructor(options: TlsCredentialsOptions) {
    super();
    this.#options = options;
  }

  override compose(): ChannelCredentials {
    throw new Fault('internal', 'call credentials are not used here');
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(): ReturnType<ChannelCredentials['_createSecureConnector']> {
    const { address, tls, proxy, failed } = this.#options;
    return {
      connect: async (socket) => {
        let step: 'proxy' | 'handshake' = 'proxy';
        try {
          if (proxy !== undefined) await connectThrough(socket, proxy, address);
          step = 'handshake';
          return { socket: await secure(socket, hostOf(address), tls), secure: true };
        } catch (error) {
          failed(reasonOf(error), step);
          throw error;
        }
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy() {},
    };
  }
}

/**
 * Speaks TLS over a connection that is there, and resolves once the other end is verified. `host` is what it is asked
 * for by, if it has a name.
 */
export async function secure(
  socket: Socket,
  host: string,
  tls: ClientTls,
  protocols: readonly string[] = ['h2'],
): Promise<TLSSocket> {
  const identity = tls.identity?.();
  const tlsSocket = tlsConnect({
    socket,
    secureContext: createSecureContext({
      minVersion: 'TLSv1.2',
      ...(tls.postQuantumOnly === true && postQuantumTls),
      // `verify` decides; without this all public roots would be parsed, on the event loop.
      ca: [],
      ...(identity && {
        cert: identity.chain.map((der) => writePem('CERTIFICATE', der)).join(''),
        key: writePem('PRIVATE KEY', identity.privateKey),
      }),
    }),
    ALPNProtocols: [...protocols],
    // `verify` decides, on the certificates themselves.
    rejectUnauthorized: false,
    ...(host !== '' && isIP(host) === 0 && { servername: host }),
  });
  try {
    await handshake(tlsSocket);
    await tls.verify(presentedChain(tlsSocket));
    return tlsSocket;
  } catch (error) {
    tlsSocket.destroy();
    throw error;
  }
}

function handshake(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    reject(new Fault('unavailable', 'TLS handshake timed out'));
  }, HANDSHAKE_MILLISECONDS);
  const closed = () => {
    reject(new Fault('unavailable', 'connection closed during the TLS handshake'));
  };
  socket.once('secureConnect', resolve);
  socket.once('error', reject);
  socket.once('close', closed);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.removeListener('error', reject);
    socket.removeListener('close', closed);
    // Errors from here on belong to whoever uses the connection; none may go unheard in between.
    socket.on('error', () => {});
  });
}

const hostOf = (address: string): string =>
  address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
