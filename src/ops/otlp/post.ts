import { setTimeout as wait } from 'node:timers/promises';
import { Fault } from '../../base/fault.ts';
import { nodeHttp, nodeHttps } from '../../base/node-http.ts';

/** What a receiver answers when the same may succeed later (OTLP, "Failures"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const PAUSES_MILLISECONDS = [1_000, 4_000];

export type PostOptions = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM; undefined: the well-known ones. */
  readonly ca: string | undefined;
  /** Of one try. */
  readonly timeoutMilliseconds: number;
  /** Ends tries and pauses. */
  readonly signal: AbortSignal;
};

/** Sends JSON, again if that may help. Throws if it was not taken. */
export async function postJson(options: PostOptions, body: unknown): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(body));
  for (const pause of [...PAUSES_MILLISECONDS, undefined]) {
    const status = await postOnce(options, bytes);
    if (status >= 200 && status < 300) return;
    if (!RETRYABLE.has(status) || pause === undefined) {
      throw new Fault('unavailable', `the receiver answered ${status}`);
    }
    await wait(pause, undefined, { signal: options.signal });
  }
}

function postOnce(options: PostOptions, bytes: Buffer): Promise<number> {
  const { url, headers, ca, timeoutMilliseconds, signal } = options;
  const isTls = url.protocol === 'https:';
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = (isTls ? nodeHttps() : nodeHttp()).request(url, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': bytes.length },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]),
    ...(isTls && ca !== undefined && { ca }),
  });
  request.on('error', reject);
  request.on('response', (response) => {
    // What it says is of no use to us, however long it is.
    response.on('error', reject).resume();
    resolve(response.statusCode ?? 0);
  });
  request.end(bytes);
  return promise;
}
