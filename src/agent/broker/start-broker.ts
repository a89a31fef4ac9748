import { createServer, type Server, type Socket } from 'node:net';
import { Fault, reasonOf } from '../../base/fault.ts';
import { createStrangers, type Strangers } from '../../base/strangers.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { listenLastingly } from '../../rpc/lasting-socket.ts';
import { reflectionServices } from '../../rpc/reflection.ts';
import { createRpcServer } from '../../rpc/serve.ts';
import type { AgentConfig } from '../config.ts';
import { attestByNumber } from '../endpoint/attest-by-number.ts';
import { countedCalls } from '../endpoint/counted-calls.ts';
import type { AttestWorkload } from '../endpoint/workload-attestation.ts';
import type { Identities } from '../identities.ts';
import { type BrokerTlsDeps, brokerTls } from './broker-tls.ts';
import { type BrokerCall, type BrokerPeer, brokerCalls } from './call.ts';
import { referenceResolver } from './resolve-reference.ts';
import { type BrokerApiDeps, brokerApi } from './service.ts';
import type { BrokerSettings } from './settings.ts';

export type BrokerDeps = Pick<BrokerTlsDeps, 'current'> &
  BrokerApiDeps & {
    readonly config: Pick<AgentConfig, 'broker' | 'requirePostQuantum'>;
    readonly identities: Identities;
    readonly attest: AttestWorkload;
    readonly metrics: Metrics;
    readonly log: Log;
  };

/** The agent's user and group (`reference/agent.md` §1.11). */
const SOCKET_MODE = 0o770;
const DIRECTORY_MODE = 0o755;
/** A node has few brokers, and each keeps one or two. */
const MAX_CONNECTIONS = 1000;
/** Of those over TCP who have not shown yet who they are: whoever is silent must not keep a broker out. */
const MAX_STRANGERS = 500;

/** Serves the Broker API where it is configured, until it is disposed; what is under way then ends at once. */
export async function startBroker(deps: BrokerDeps): Promise<AsyncDisposable> {
  const { broker: settings, requirePostQuantum } = deps.config;
  if (settings === undefined) return { async [Symbol.asyncDispose]() {} };
  const { brokers } = settings;
  const log = deps.log.child({ subsystem_name: 'broker_api' });
  const api = brokerApi(deps);
  const rpc = createRpcServer<BrokerPeer, BrokerCall>({
    services: [api, ...reflectionServices<BrokerCall>([api.desc])],
    intercept: countedCalls(
      brokerCalls({ brokers, resolve: referenceResolver(attestByNumber(deps.attest)), log }),
      deps.metrics,
    ),
    log,
  });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => {
    log.info('SPIFFE Broker Endpoint has stopped');
  });
  opened.use(rpc);
  const strangers = createStrangers(MAX_STRANGERS);
  const tls = (network: BrokerPeer['network']) =>
    brokerTls(network, {
      ...deps,
      brokers,
      requirePostQuantum,
      log,
      onPeer: (socket, peer) => {
        strangers.isKnown(socket);
        rpc.inject(socket, peer);
      },
    });
  await listenEverywhere(settings, { tls, strangers, opened, log });
  log.info('Starting SPIFFE Broker Endpoint');
  opened.defer(() => {
    log.info('Stopping SPIFFE Broker Endpoint');
  });
  return opened.move();
}

type ListenDeps = {
  readonly tls: (network: BrokerPeer['network']) => ReturnType<typeof brokerTls>;
  readonly strangers: Strangers;
  readonly opened: AsyncDisposableStack;
  readonly log: Log;
};

async function listenEverywhere(
  { socketPath, bindAddress }: BrokerSettings,
  { tls, strangers, opened, log }: ListenDeps,
): Promise<void> {
  const connections = new Set<Socket>();
  const acceptor = (network: BrokerPeer['network']) => {
    const secured = tls(network);
    return (socket: Socket): void => {
      if (connections.size >= MAX_CONNECTIONS) {
        socket.destroy();
        return;
      }
      connections.add(socket);
      if (network === 'tcp') strangers.add(socket);
      socket.once('close', () => connections.delete(socket));
      socket.on('error', () => {}); // 'close' follows
      secured.accept(socket);
    };
  };
  if (socketPath !== undefined) {
    const onConnection = acceptor('unix');
    const modes = { mode: SOCKET_MODE, directoryMode: DIRECTORY_MODE };
    opened.use(
      await listenLastingly(socketPath, { ...modes, log, onConnection }).catch(
        cannotListen(socketPath),
      ),
    );
  }
  if (bindAddress !== undefined) {
    const { host, port } = bindAddress;
    const server = createServer({ noDelay: true, keepAlive: true }, acceptor('tcp'));
    await listenTcp(server, host, port).catch(cannotListen(`${host}:${port}`));
    opened.defer(() => {
      server.close();
    });
  }
  // The first to be ended: whoever listens waits for the connections.
  opened.defer(() => {
    for (const socket of connections) socket.destroy();
  });
}

function listenTcp(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ ...(host !== '' && { host }), port }, () => {
    server.removeListener('error', reject);
    resolve();
  });
  return promise;
}

const cannotListen =
  (address: string) =>
  (error: unknown): never => {
    throw new Fault(
      'unavailable',
      `failed to listen on broker address "${address}": ${reasonOf(error)}`,
      { cause: error },
    );
  };
