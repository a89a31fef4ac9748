import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { goErrorText } from '../base/go-file-error.ts';
import { joinHostPort } from '../base/resolve-address.ts';
import type { Health } from './health.ts';
import type { HealthSettings } from './health-settings.ts';
import type { Log } from './log.ts';

export type HealthListenerDeps = {
  readonly settings: HealthSettings;
  readonly health: Pick<Health, 'answer'>;
  readonly log: Log;
};

/** Disposing it closes the listener and every connection. */
export interface HealthListener extends AsyncDisposable {
  /** Undefined where it could not listen. */
  readonly port: number | undefined;
}

/** A request that has not sent its headers by then is given up. */
const HEADER_MILLISECONDS = 10_000;
/** No probe sends more. */
const MAX_HEADER_BYTES = 8 * 1024;
/** Probes come one at a time; more at once are not answered. */
const MAX_CONNECTIONS = 256;

/**
 * Answers `/live` and `/ready` over HTTP, whatever the method (`reference/server.md` §11.1). A listener that cannot be
 * had is a warning, not the end.
 */
export async function startHealthListener({
  settings,
  health,
  log,
}: HealthListenerDeps): Promise<HealthListener> {
  const server = createServer(
    {
      headersTimeout: HEADER_MILLISECONDS,
      requestTimeout: HEADER_MILLISECONDS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      answer(request, response, settings, health);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.maxRequestsPerSocket = 100;
  const host = settings.bindAddress;
  const address = joinHostPort(host, settings.bindPort);
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', resolve);
  });
  try {
    server.listen({ host, port: portNumber(settings.bindPort) });
    await listening;
  } catch (error) {
    log.warn('Error serving health checks', {
      error: `listen tcp ${address}: ${goErrorText(error)}`,
    });
    return { port: undefined, async [Symbol.asyncDispose]() {} };
  }
  server.on('error', (error) => {
    log.warn('Error serving health checks', { error });
  });
  log.info('Serving health checks', { address });
  const bound = server.address();
  return {
    port: typeof bound === 'object' ? bound?.port : undefined,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

const MAX_PORT = 65_535;
const SERVICES: Readonly<Record<string, number | undefined>> = { http: 80, https: 443 };

/** Throws with Go's words. */
function portNumber(text: string): number {
  const port = SERVICES[text] ?? Number(text === '' ? Number.NaN : text);
  if (Number.isInteger(port) && port >= 0 && port <= MAX_PORT) return port;
  throw new RangeError(/^\d+$/.test(text) ? 'invalid port' : `lookup tcp/${text}: unknown port`);
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { livePath, readyPath }: HealthSettings,
  health: Pick<Health, 'answer'>,
): void {
  request.resume(); // a body, if there is one, is of no interest
  const path = (request.url ?? '').split('?', 1)[0];
  const question = path === livePath ? 'live' : path === readyPath ? 'ready' : undefined;
  if (question === undefined) {
    response.writeHead(404, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end('404 page not found\n');
    return;
  }
  const { ok, body } = health.answer(question);
  response.writeHead(ok ? 200 : 500, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
