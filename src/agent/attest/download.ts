import type http from 'node:http';
import type https from 'node:https';
import { getCACertificates } from 'node:tls';
import { Fault, wrapFault } from '../../base/fault.ts';
import { followRedirects, readBounded } from '../../base/http-get.ts';
import { nodeHttp, nodeHttps } from '../../base/node-http.ts';

export type DownloadOptions = {
  readonly url: string;
  /** Dialled in place of the URL's host. */
  readonly unixSocket: string | undefined;
  /** Variables that name proxies; not used with a Unix socket. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Only tests know better. */
  readonly timeoutMilliseconds?: number;
  /** PEM; undefined: the machine's own. */
  readonly authorities?: readonly string[] | undefined;
};

/** SPIRE waits for ever; but then an agent would neither start nor say why. */
const TIMEOUT_MILLISECONDS = 60_000;

/** What an HTTP GET answers; anything but 200 after redirects is a failure (`reference/agent.md` §2.3). */
export async function download(options: DownloadOptions): Promise<Uint8Array> {
  const { timeoutMilliseconds = TIMEOUT_MILLISECONDS, url } = options;
  const patience = AbortSignal.timeout(timeoutMilliseconds);
  try {
    return await get({ ...options, signal: AbortSignal.any([options.signal, patience]) });
  } catch (error) {
    if (!patience.aborted || options.signal.aborted) throw error;
    const why = `no answer within ${timeoutMilliseconds / 1000} s`;
    throw new Fault('unavailable', `unable to fetch trust bundle URL ${url}: ${why}`, {
      cause: error,
    });
  }
}

async function get(options: DownloadOptions): Promise<Uint8Array> {
  const response = await follow(options);
  const { statusCode, statusMessage = '' } = response;
  if (statusCode !== 200) {
    response.destroy();
    const line = `${statusCode} ${statusMessage}`.trimEnd();
    throw new Fault('unavailable', `error downloading trust bundle: ${line}`);
  }
  try {
    return await readBounded(response, options.maxBytes);
  } catch (error) {
    throw wrapFault(`unable to read from trust bundle URL ${options.url}`, error, 'unavailable');
  }
}

async function follow(options: DownloadOptions): Promise<http.IncomingMessage> {
  try {
    return await followRedirects(options.url, (url) => ask(url, options));
  } catch (error) {
    throw wrapFault(`unable to fetch trust bundle URL ${options.url}`, error, 'unavailable');
  }
}

async function ask(url: string, options: DownloadOptions): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const { unixSocket, signal } = options;
  const isSecure = new URL(url).protocol === 'https:';
  if (!isSecure && unixSocket === undefined) {
    throw new Fault('invalid', `refusing to follow a redirect from https to ${url}`);
  }
  const agent = isSecure ? secureAgent(options) : new (nodeHttp().Agent)();
  const request = (isSecure ? nodeHttps() : nodeHttp()).get(
    url,
    { agent, signal, ...(unixSocket !== undefined && { socketPath: unixSocket }) },
    resolve,
  );
  request.on('error', reject); // more may come once it is over
  request.once('close', () => {
    agent.destroy();
  });
  return promise;
}

const secureAgent = ({ unixSocket, environment, authorities }: DownloadOptions): https.Agent =>
  new (nodeHttps().Agent)({
    ca: [...(authorities ?? getCACertificates('system'))],
    ...(unixSocket === undefined && { proxyEnv: environment }),
  });
