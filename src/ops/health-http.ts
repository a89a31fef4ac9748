import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nodeHttp } from '../base/node-http.ts';
import type { HealthChecks, HealthReport } from './health-checks.ts';
import type { HealthSettings } from './health-settings.ts';
import { crowdOut, listenHttp } from './listen-http.ts';
import type { Log } from './log.ts';

/** Whoever has not asked by then is turned away (`reference/server.md` §4.2). */
const HEADERS_TIMEOUT_MILLISECONDS = 10_000;
/** Probes come one by one; beyond it the connection that is there longest makes room. */
const MAX_CONNECTIONS = 100;

const MAX_PORT = 65_535;
/** Go takes a service's name for a port; these are the ones that probes are served on. */
const services: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
]);

export type HealthEndpointOptions = {
  readonly settings: Pick<HealthSettings, 'bindAddress' | 'bindPort' | 'livePath' | 'readyPath'>;
  readonly checks: Pick<HealthChecks, 'live' | 'ready'>;
  readonly log: Log;
};

export type HealthEndpoint = AsyncDisposable & {
  /** undefined if it could not listen. */
  readonly address: AddressInfo | undefined;
};

/** Answers probes from the checks' last results. That it cannot listen is told, and no reason not to go on. */
export async function serveHealth(options: HealthEndpointOptions): Promise<HealthEndpoint> {
  const { settings, checks } = options;
  const log = options.log.child({ subsystem_name: 'health' });
  const reports = new Map<string, () => HealthReport>([
    [settings.livePath, () => checks.live()],
    [settings.readyPath, () => checks.ready()],
  ]);
  const server = nodeHttp().createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MILLISECONDS,
      requestTimeout: HEADERS_TIMEOUT_MILLISECONDS,
      connectionsCheckingInterval: HEADERS_TIMEOUT_MILLISECONDS,
    },
    (request, response) => {
      const path = (request.url ?? '').split('?')[0] ?? '';
      answer(response, reports.get(path)?.());
    },
  );
  crowdOut(server, MAX_CONNECTIONS);
  try {
    const address = await listen(server, settings);
    server.on('error', (error) => {
      log.warn('Error serving health checks', { error });
    });
    log.info('Serving health checks', { address: `${address.address}:${address.port}` });
    return { address, [Symbol.asyncDispose]: () => close(server) };
  } catch (error) {
    log.warn('Error serving health checks', { error: error as Error });
    return { address: undefined, async [Symbol.asyncDispose]() {} };
  }
}

function answer(response: ServerResponse, report: HealthReport | undefined): void {
  if (report === undefined) {
    end(response, 404, '404 page not found\n', {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    });
    return;
  }
  const body = `${JSON.stringify(report.details)}\n`;
  end(response, report.ok ? 200 : 500, body, { 'Content-Type': 'application/json' });
}

function end(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body);
}

async function listen(
  server: Server,
  { bindAddress, bindPort }: HealthEndpointOptions['settings'],
): Promise<AddressInfo> {
  const port = services.get(bindPort) ?? Number(bindPort);
  if (bindPort === '' || !Number.isInteger(port) || port < 0 || port > MAX_PORT) {
    throw new Error(`bind_port "${bindPort}" is no port: use a number from 0 to ${MAX_PORT}`);
  }
  return listenHttp(server, bindAddress, port);
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => {
    resolve();
  });
  server.closeAllConnections();
  await promise;
}
