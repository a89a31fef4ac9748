import type { Identities } from '../identities.ts';

export type AskedToken = {
  readonly entry: Parameters<Identities['fetchJwtSvid']>[0];
  readonly audience: readonly string[];
};

/** Callers choose the audiences; what is longer than any sensible one is not worth our memory. */
const MAX_AUDIENCE_LENGTH = 1024;

/** Tokens that were asked for since they were last renewed: they will be asked for again. The oldest go first. */
export class AskedTokens {
  readonly #maxSize: number;
  readonly #tokens = new Map<string, AskedToken>();

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  note(key: string, token: AskedToken): void {
    const length = token.audience.reduce((sum, name) => sum + name.length, 0);
    if (length > MAX_AUDIENCE_LENGTH) return;
    this.#tokens.delete(key);
    this.#tokens.set(key, token);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > this.#maxSize && oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** Those to be renewed, which are forgotten, and with them those of entries that are gone. */
  take(
    isDue: (token: AskedToken) => boolean,
    isAuthorized: (entryId: string) => boolean,
  ): AskedToken[] {
    const due: AskedToken[] = [];
    for (const [key, token] of this.#tokens) {
      if (!isAuthorized(token.entry.id)) this.#tokens.delete(key);
      else if (isDue(token)) {
        this.#tokens.delete(key);
        due.push(token);
      }
    }
    return due;
  }

  get size(): number {
    return this.#tokens.size;
  }
}
