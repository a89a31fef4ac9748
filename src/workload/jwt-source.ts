import { type Clock, systemClock, unixSeconds } from '../base/clock.ts';
import type { Bundle } from '../spiffe/bundle.ts';
import { type JwtSvid, verifyJwtSvid } from '../spiffe/jwt-svid.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { Bundles, IssuedJwtSvid } from './responses.ts';
import { LiveValue } from './source.ts';
import { type JwtSvidOptions, WorkloadApi } from './workload-api.ts';
import type { SourceOptions } from './x509-source.ts';

/** A token is used again until this much of its life is over. */
const FRESH_SHARE = 0.5;
/** Tokens for so many different audiences are kept. */
const MAX_KEPT = 1000;

/**
 * JWT-SVIDs of this process, and what verifies those of others, offline.
 *
 *     await using source = await JwtSource.open();
 *     const { token } = await source.fetch({ audience: 'reports' });
 *     const { id } = await source.verify(tokenOfAPeer, 'web');
 */
export class JwtSource implements AsyncDisposable {
  readonly #api: WorkloadApi;
  readonly #live: LiveValue<Bundles>;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Promise<IssuedJwtSvid>>();

  private constructor(api: WorkloadApi, live: LiveValue<Bundles>, clock: Clock) {
    this.#api = api;
    this.#live = live;
    this.#clock = clock;
  }

  /** Resolves once the JWT bundles are there. Rejects as `X509Source.open` does. */
  static async open({ signal, ...options }: SourceOptions = {}): Promise<JwtSource> {
    const api = new WorkloadApi(options);
    try {
      const live = await LiveValue.open((ended) => api.watchJwtBundles(ended), signal);
      return new JwtSource(api, live, options.clock ?? systemClock);
    } catch (error) {
      api[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * A token for that audience with at least half of its life before it; the agent is asked only where none is kept.
   * Throws a Fault in the words of the Workload API.
   */
  async fetch(options: JwtSvidOptions): Promise<IssuedJwtSvid> {
    const { signal } = options;
    signal?.throwIfAborted();
    const names = [options.audience].flat();
    const key = JSON.stringify([options.id?.toString(), ...names]);
    const kept = await this.#kept.get(key)?.catch(() => undefined);
    if (kept !== undefined && this.#isFresh(kept)) return kept;
    // Not bound to this caller's signal: others may wait for the same token.
    const asked = this.#api.fetchJwtSvid({ audience: names, id: options.id });
    this.#keep(key, asked);
    return signal === undefined ? asked : Promise.race([asked, aborted(signal)]);
  }

  /** Verifies a token that is meant for one of these audiences. Throws 'invalid' with the reason. */
  verify(token: string, audience: string | readonly string[]): Promise<JwtSvid> {
    const bundleOf = (trustDomain: TrustDomain) => this.bundleOf(trustDomain);
    return verifyJwtSvid(token, bundleOf, [audience].flat(), unixSeconds(this.#clock));
  }

  /** The JWT authorities of exactly that trust domain. */
  bundleOf(trustDomain: TrustDomain): Bundle | undefined {
    return this.#live.current.of(trustDomain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#live.dispose();
    this.#api[Symbol.dispose]();
    this.#kept.clear();
  }

  #isFresh({ issuedAt, expiresAt }: IssuedJwtSvid): boolean {
    const now = unixSeconds(this.#clock);
    const from = issuedAt ?? now;
    return now < from + (expiresAt - from) * FRESH_SHARE;
  }

  #keep(key: string, asked: Promise<IssuedJwtSvid>): void {
    this.#kept.delete(key);
    this.#kept.set(key, asked);
    asked.catch(() => {
      if (this.#kept.get(key) === asked) this.#kept.delete(key);
    });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const giveUp = () => {
    reject(signal.reason);
  };
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  return promise;
}
