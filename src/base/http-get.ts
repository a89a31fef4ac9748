import type http from 'node:http';
import { Fault } from './fault.ts';

/** As Go's client. */
const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The first answer that is no redirect. `ask` asks one URL, and refuses one that may not be asked; the body of what it
 * answers is the caller's to read or destroy. Throws what it throws, and 'unavailable' after ten redirects.
 */
export async function followRedirects(
  url: string,
  ask: (url: string) => Promise<http.IncomingMessage>,
): Promise<http.IncomingMessage> {
  let next = url;
  for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
    const response = await ask(next);
    const { statusCode = 0, headers } = response;
    if (!REDIRECTS.has(statusCode) || headers.location === undefined) return response;
    response.destroy();
    next = redirectTarget(headers.location, next);
  }
  throw new Fault('unavailable', `stopped after ${MAX_REDIRECTS} redirects`);
}

function redirectTarget(location: string, from: string): string {
  const target = URL.parse(location, from);
  if (target === null) throw new Fault('invalid', `malformed redirect to ${location}`);
  return target.href;
}

/** A body that is no longer than that. Throws 'invalid' where it is, having read no more of it. */
export async function readBounded(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new Fault('invalid', `longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
