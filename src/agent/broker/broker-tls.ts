import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import { postQuantumTls } from '../../base/post-quantum.ts';
import { presentedChain } from '../../base/presented-chain.ts';
import { writePem } from '../../crypto/pem.ts';
import type { Log } from '../../ops/log.ts';
import { verifyX509Svid } from '../../spiffe/x509-svid.ts';
import { tlsIdentity } from '../attest/agent-svid.ts';
import type { CurrentSvid } from '../attest/current-svid.ts';
import type { Identities } from '../identities.ts';
import type { BrokerPeer } from './call.ts';
import type { BrokerSettings } from './settings.ts';

/** Whoever has not said who he is by then is turned away. */
const HANDSHAKE_TIMEOUT_MILLISECONDS = 20_000;

export type BrokerTlsDeps = {
  readonly current: Pick<CurrentSvid, 'value' | 'onChange'>;
  readonly identities: Pick<Identities, 'bundles'>;
  readonly brokers: BrokerSettings['brokers'];
  /** Agrees on keys in no way that a quantum computer could undo. */
  readonly requirePostQuantum: boolean;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly onPeer: (socket: TLSSocket, peer: BrokerPeer) => void;
};

/** Takes accepted connections, and hands on those of configured brokers, by their X509-SVIDs. */
export interface BrokerTls {
  accept(socket: Socket): void;
}

/** Mutual TLS with the agent's SVID as it is at the time (`reference/agent.md` §4.8). */
export function brokerTls(network: BrokerPeer['network'], deps: BrokerTlsDeps): BrokerTls {
  const { log } = deps;
  const server: TlsServer = createServer({
    ...tlsContext(deps),
    ALPNProtocols: ['h2'],
    requestCert: true,
    // `welcome` decides, on the certificates themselves.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MILLISECONDS,
  });
  deps.current.onChange(() => {
    server.setSecureContext(tlsContext(deps));
  });
  server.on('secureConnection', (socket) => {
    void welcome(socket, network, deps);
  });
  server.on('tlsClientError', (error, socket) => {
    log.debug('TLS handshake failed', { error });
    socket.destroy();
  });
  return {
    accept(socket) {
      server.emit('connection', socket);
    },
  };
}

/** Sessions cannot be resumed: a ticket would let a broker skip the check after its authority was revoked. */
function tlsContext({ current, requirePostQuantum }: BrokerTlsDeps): TlsOptions {
  const { chain, privateKey } = tlsIdentity(current.value);
  return {
    cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
    key: writePem('PRIVATE KEY', privateKey),
    ca: [],
    minVersion: 'TLSv1.2',
    ...(requirePostQuantum && postQuantumTls),
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Nothing of what the client sends is read before it is known who sends it. */
async function welcome(
  socket: TLSSocket,
  network: BrokerPeer['network'],
  deps: BrokerTlsDeps,
): Promise<void> {
  // A reset while we look is no news: the socket is destroyed then.
  socket.on('error', () => undefined);
  try {
    const id = await brokerOf(socket, deps);
    if (!socket.destroyed) deps.onPeer(socket, { id, network });
  } catch (error) {
    deps.log.debug('Connection refused', { error: reasonOf(error) });
    socket.destroy();
  }
}

async function brokerOf(
  socket: TLSSocket,
  { identities, brokers, clock }: BrokerTlsDeps,
): Promise<string> {
  if (socket.alpnProtocol !== 'h2') {
    throw new Fault('failed-precondition', 'the client does not speak HTTP/2 (ALPN h2)');
  }
  const chain = presentedChain(socket);
  if (chain.length === 0) throw new Fault('unauthenticated', 'the client presents no certificate');
  const bundles = identities.bundles();
  const verified = await verifyX509Svid(
    chain,
    ({ name }) => bundles.find(({ trustDomain }) => trustDomain.name === name),
    unixSeconds(clock),
  );
  const id = verified.id.toString();
  if (!brokers.has(id)) throw new Fault('denied', `unexpected ID "${id}"`);
  return id;
}
