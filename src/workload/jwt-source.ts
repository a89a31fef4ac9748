import { type Clock, systemClock, unixSeconds } from '../base/clock.ts';
import { kindOf } from '../base/fault.ts';
import { unlessAborted } from '../base/unless-aborted.ts';
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

type Kept = { readonly svid: IssuedJwtSvid; readonly fetchedAt: number };

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
  /** In the order in which they were fetched. */
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<IssuedJwtSvid>>();

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
   * A token for that audience with at least half of its life before it; the agent is asked only where none is kept, and
   * once for all who wait. While the agent is away, what is kept is good until it expires. Throws a Fault in the words of
   * the Workload API.
   */
  async fetch(options: JwtSvidOptions): Promise<IssuedJwtSvid> {
    const { signal } = options;
    signal?.throwIfAborted();
    const key = JSON.stringify([options.id?.toString(), ...[options.audience].flat()]);
    const kept = this.#kept.get(key);
    if (kept !== undefined && this.#isFresh(kept)) return kept.svid;
    const asked = this.#underWay.get(key) ?? this.#ask(key, options);
    try {
      return await (signal === undefined ? asked : unlessAborted(asked, signal));
    } catch (error) {
      if (signal?.aborted === true || kept === undefined || !this.#isUsable(kept)) throw error;
      if (kindOf(error) !== 'unavailable') throw error;
      return kept.svid;
    }
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

  #isFresh({ svid: { issuedAt, expiresAt }, fetchedAt }: Kept): boolean {
    const from = issuedAt ?? fetchedAt;
    return unixSeconds(this.#clock) < from + (expiresAt - from) * FRESH_SHARE;
  }

  #isUsable({ svid: { expiresAt } }: Kept): boolean {
    return unixSeconds(this.#clock) < expiresAt;
  }

  /** Not bound to one caller's signal: others may wait for the same token. */
  #ask(key: string, { audience, id }: JwtSvidOptions): Promise<IssuedJwtSvid> {
    const asked = this.#api
      .fetchJwtSvid({ audience, id })
      .then((svid) => {
        this.#keep(key, { svid, fetchedAt: unixSeconds(this.#clock) });
        return svid;
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    asked.catch(() => undefined); // told to whoever still waits
    return asked;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}
