import { createHash } from 'node:crypto';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { JwtSvid } from '../identities.ts';

/** Callers choose the audiences; what is too long for any HTTP header is not worth our memory. */
const MAX_TOKEN_LENGTH = 16 * 1024;

/** Tokens by SPIFFE ID and audiences; the least recently used goes when it is full (`reference/agent.md` §3.6). */
export class JwtSvidCache {
  readonly #maxSize: number;
  /** In the order of their last use. */
  readonly #svids = new Map<string, JwtSvid>();

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get(id: SpiffeId, audience: readonly string[]): JwtSvid | undefined {
    const key = jwtSvidKey(id, audience);
    const svid = this.#svids.get(key);
    if (svid !== undefined) this.#putLast(key, svid);
    return svid;
  }

  /** The same, but it does not count as use. */
  peek(id: SpiffeId, audience: readonly string[]): JwtSvid | undefined {
    return this.#svids.get(jwtSvidKey(id, audience));
  }

  /** Makes room first, even where a token is replaced, as SPIRE does. */
  set(id: SpiffeId, audience: readonly string[], svid: JwtSvid): void {
    if (svid.token.length > MAX_TOKEN_LENGTH) return;
    if (this.#svids.size >= this.#maxSize) this.#dropFirst();
    this.#putLast(jwtSvidKey(id, audience), svid);
  }

  /** Forgets the tokens that one of these keys has signed; answers how many. */
  removeSignedBy(keyIds: ReadonlySet<string>): number {
    let removed = 0;
    for (const [key, { token }] of this.#svids) {
      if (!keyIds.has(keyIdOf(token))) continue;
      this.#svids.delete(key);
      removed++;
    }
    return removed;
  }

  get size(): number {
    return this.#svids.size;
  }

  #putLast(key: string, svid: JwtSvid): void {
    this.#svids.delete(key);
    this.#svids.set(key, svid);
  }

  #dropFirst(): void {
    const [first] = this.#svids.keys();
    if (first !== undefined) this.#svids.delete(first);
  }
}

/** The order of audiences does not matter; how often each is named does. Hashed, since callers choose the length. */
export function jwtSvidKey(id: SpiffeId, audience: readonly string[]): string {
  const hash = createHash('sha256').update(`${id.toString()}\0`);
  for (const name of audience.toSorted()) hash.update(`${name.length} ${name}`);
  return hash.digest('base64');
}

/** The `kid` of a token that our server signed. */
function keyIdOf(token: string): string {
  const header = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString();
  return String((JSON.parse(header) as { kid?: unknown }).kid);
}
