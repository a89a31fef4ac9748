import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reasonOf } from '../../base/fault.ts';
import { nodeHttp } from '../../base/node-http.ts';
import { listenHttp } from '../listen-http.ts';
import type { Profiler } from './profiler.ts';

const HOST = 'localhost';
/** Whoever has not asked by then is turned away. */
const HEADERS_TIMEOUT_MILLISECONDS = 10_000;
const MAX_CONNECTIONS = 10;

const DEFAULT_SECONDS = 30;
/** V8 keeps all samples until the end; Go's tools ask for half a minute. */
const MAX_SECONDS = 300;

export type ProfileEndpoint = AsyncDisposable & { readonly address: AddressInfo };

/** Serves profiles where Go's tools look for them, to this machine only. Rejects with Node's error if it cannot listen. */
export async function serveProfiles(profiler: Profiler, port: number): Promise<ProfileEndpoint> {
  const stop = new AbortController();
  const server = nodeHttp().createServer(
    { headersTimeout: HEADERS_TIMEOUT_MILLISECONDS, requestTimeout: HEADERS_TIMEOUT_MILLISECONDS },
    (request, response) => {
      void answer(profiler, request, response, stop.signal);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  const address = await listenHttp(server, HOST, port);
  return {
    address,
    async [Symbol.asyncDispose]() {
      stop.abort();
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
      await promise;
    },
  };
}

async function answer(
  profiler: Profiler,
  request: IncomingMessage,
  response: ServerResponse,
  stopping: AbortSignal,
): Promise<void> {
  const { path, query } = targetOf(request);
  const gone = new AbortController();
  response.once('close', () => {
    gone.abort();
  });
  try {
    if (request.method !== 'GET') return say(response, 405, 'only GET is answered\n');
    if (path === `${ROOT}/` || path === ROOT) return say(response, 200, INDEX);
    if (path === `${ROOT}/heap`) return send(response, 'heap', await profiler.heap());
    if (path !== `${ROOT}/profile`) return say(response, 404, MISSING);
    const seconds = readSeconds(query.get('seconds'));
    if (seconds === undefined) {
      return say(response, 400, `seconds must be a number above 0, ${MAX_SECONDS} at most\n`);
    }
    const signal = AbortSignal.any([gone.signal, stopping]);
    send(response, 'profile', await profiler.cpu(seconds * 1000, signal));
  } catch (error) {
    if (!response.destroyed) say(response, 500, `${reasonOf(error)}\n`);
  }
}

/** Anybody may write anything there: nothing of it throws. */
function targetOf({ url = '' }: IncomingMessage): {
  readonly path: string;
  readonly query: URLSearchParams;
} {
  const [path = '', ...query] = url.split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}

const ROOT = '/debug/pprof';

const INDEX =
  `${ROOT}/profile?seconds=${DEFAULT_SECONDS}  where CPU time goes\n` +
  `${ROOT}/heap  what memory is held\n`;

const MISSING = `there is no such profile of this program; these are served:\n${INDEX}`;

function readSeconds(text: string | null): number | undefined {
  const seconds = text === null ? DEFAULT_SECONDS : Number(text);
  return seconds > 0 && seconds <= MAX_SECONDS ? seconds : undefined;
}

function say(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    })
    .end(text);
}

function send(response: ServerResponse, name: string, profile: Uint8Array): void {
  response
    .writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'X-Content-Type-Options': 'nosniff',
      'Content-Disposition': `attachment; filename="${name}"`,
      'Content-Length': profile.length,
    })
    .end(profile);
}
