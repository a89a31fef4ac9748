import { once } from 'node:events';
import type http from 'node:http';
import type { TLSSocket } from 'node:tls';
import { Fault, reasonOf } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { followRedirects, readBounded } from '../../../base/http-get.ts';
import { nodeHttps } from '../../../base/node-http.ts';
import { dialErrorText } from '../../../rpc/dial-failure.ts';
import { type EndpointAuthentication, WrongNameFault } from './endpoint-authentication.ts';

export type FetchOptions = {
  readonly url: string;
  readonly authentication: EndpointAuthentication;
  /** Variables that name proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Only tests know better. */
  readonly timeoutMilliseconds?: number;
};

/** A thousand authorities fit; a server that federates with us must not decide how much memory we have. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** SPIRE waits for ever; but then an endpoint that says nothing would end the refreshes in silence. */
const TIMEOUT_MILLISECONDS = 60_000;
/** What is told of an answer that is not 200. */
const MAX_TOLD_BYTES = 1024;

/** What a bundle endpoint answers, over a new connection (`reference/server.md` §10.3). Throws with SPIRE's words. */
export async function fetchDocument(options: FetchOptions): Promise<Uint8Array> {
  const { timeoutMilliseconds = TIMEOUT_MILLISECONDS } = options;
  const patience = AbortSignal.timeout(timeoutMilliseconds);
  const signal = AbortSignal.any([options.signal, patience]);
  try {
    return await get({ ...options, signal });
  } catch (error) {
    options.signal.throwIfAborted();
    if (!patience.aborted) throw error;
    throw fetchFault(options.url, `no whole answer within ${timeoutMilliseconds / 1000} s`, error);
  }
}

async function get(options: FetchOptions): Promise<Uint8Array> {
  const response = await follow(options);
  try {
    if (response.statusCode === 200) return await readBounded(response, MAX_DOCUMENT_BYTES);
  } catch (error) {
    throw fetchFault(options.url, reasonOf(error), error);
  }
  const told = await start(response, MAX_TOLD_BYTES);
  throw new Fault(
    'unavailable',
    `unexpected status ${response.statusCode} fetching bundle: ${told}`,
  );
}

async function follow(options: FetchOptions): Promise<http.IncomingMessage> {
  try {
    return await followRedirects(options.url, (url) => ask(url, options));
  } catch (error) {
    const reason = getText(options.url, error);
    if (error instanceof WrongNameFault && error.spiffeId !== undefined) {
      const id = goQuote(error.spiffeId.toString());
      throw new Fault(
        'unauthenticated',
        'failed to authenticate bundle endpoint using web authentication but the server certificate contains ' +
          `SPIFFE ID ${id}: maybe use https_spiffe instead of https_web: ${reason}`,
        { cause: error },
      );
    }
    throw fetchFault(options.url, dialErrorText(error), error);
  }
}

const getText = (url: string, error: unknown): string =>
  `Get ${goQuote(url)}: ${dialErrorText(error)}`;

const fetchFault = (url: string, reason: string, cause: unknown): Fault =>
  new Fault('unavailable', `failed to fetch bundle: Get ${goQuote(url)}: ${reason}`, { cause });

/** Each URL that a redirect leads to must be one that a relationship could have (SPIFFE Federation §5.1). */
async function ask(text: string, options: FetchOptions): Promise<http.IncomingMessage> {
  const url = URL.parse(text);
  if (url === null) throw new Fault('invalid', `malformed URL ${text}`);
  if (url.protocol !== 'https:') {
    throw new Fault('invalid', `refusing to follow a redirect from https to ${text}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new Fault('invalid', 'refusing to follow a redirect to a URL with user info');
  }
  const { authentication, signal, environment } = options;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const agent = new (nodeHttps().Agent)({
    keepAlive: false,
    maxCachedSessions: 0,
    ca: [...authentication.authorities],
    // `verify` decides, before anything that comes is looked at.
    rejectUnauthorized: false,
    proxyEnv: environment,
  });
  const request = nodeHttps().get(url, { agent, signal, headers: { Accept: '*/*' } });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  const verified = verify(request, (socket) => authentication.verify(socket, host));
  verified.catch(() => undefined); // when the request fails, nobody waits for it
  request.on('error', () => undefined); // `answered` tells; more may come once it is over
  request.once('close', () => {
    agent.destroy();
  });
  try {
    const [[response]] = await Promise.all([answered, verified]);
    return response;
  } catch (error) {
    request.destroy();
    throw error;
  }
}

async function verify(
  request: http.ClientRequest,
  authenticate: (socket: TLSSocket) => Promise<void>,
): Promise<void> {
  const [socket] = (await once(request, 'socket')) as [TLSSocket & { secureConnecting: boolean }];
  if (socket.secureConnecting) await once(socket, 'secureConnect');
  await authenticate(socket);
}

async function start(response: http.IncomingMessage, maxBytes: number): Promise<string> {
  let text = Buffer.alloc(0);
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    text = Buffer.concat([text, chunk]).subarray(0, maxBytes);
    if (text.length === maxBytes) break;
  }
  return text.toString();
}
