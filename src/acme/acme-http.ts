import { once } from 'node:events';
import type http from 'node:http';
import { getCACertificates } from 'node:tls';
import { Fault, reasonOf, wrapFault } from '../base/fault.ts';
import { readBounded } from '../base/http-get.ts';
import { nodeHttps } from '../base/node-http.ts';

export type AcmeHttpOptions = {
  readonly userAgent: string;
  /** Variables that name proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** PEM; the machine's own where it is left out. */
  readonly authorities?: readonly string[] | undefined;
};

export type AcmeRequest = {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
};

export type AcmeAnswer = {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Uint8Array;
};

/** One request of RFC 8555 §6.1; throws 'unavailable' if there is no whole answer. */
export type AcmeHttp = (request: AcmeRequest) => Promise<AcmeAnswer>;

/** Certificate chains and orders are some kilobytes. */
const MAX_ANSWER_BYTES = 256 * 1024;
const TIMEOUT_MILLISECONDS = 30_000;

export const acmeHttp =
  ({ userAgent, environment, authorities }: AcmeHttpOptions): AcmeHttp =>
  async ({ method, url, body, signal }) => {
    if (URL.parse(url)?.protocol !== 'https:') {
      throw new Fault('invalid', `ACME speaks https only, not ${url}`);
    }
    const patience = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    const agent = new (nodeHttps().Agent)({
      ca: [...(authorities ?? getCACertificates('system'))],
      proxyEnv: environment,
    });
    try {
      const request = nodeHttps().request(url, {
        method,
        agent,
        signal: AbortSignal.any([signal, patience]),
        headers: {
          'User-Agent': userAgent,
          ...(body !== undefined && { 'Content-Type': 'application/jose+json' }),
        },
      });
      const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
      request.on('error', () => undefined); // `answered` tells; more may come once it is over
      request.end(body);
      const [response] = await answered;
      const { statusCode: status = 0, headers } = response;
      return { status, headers, body: await readBounded(response, MAX_ANSWER_BYTES) };
    } catch (error) {
      signal.throwIfAborted();
      const reason = patience.aborted ? 'no whole answer in time' : reasonOf(error);
      throw wrapFault(`${method} ${url}`, new Error(reason, { cause: error }), 'unavailable');
    } finally {
      agent.destroy();
    }
  };
