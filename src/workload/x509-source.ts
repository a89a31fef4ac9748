import type { Bundle } from '../spiffe/bundle.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { X509Context, X509Svid } from './responses.ts';
import { LiveValue } from './source.ts';
import { WorkloadApi, type WorkloadApiOptions } from './workload-api.ts';

export type SourceOptions = WorkloadApiOptions & {
  /** Gives up waiting for the first answer. */
  readonly signal?: AbortSignal | undefined;
};

export type X509SourceOptions = SourceOptions & {
  /** Which of several SVIDs to use; by default the first. */
  readonly pick?: ((svids: X509Context['svids']) => X509Svid) | undefined;
};

/** Where TLS gets the own SVID and the bundles that verify peers, anew for each connection. */
export interface X509Material {
  readonly svid: X509Svid;
  bundleOf(trustDomain: TrustDomain): Bundle | undefined;
}

/**
 * The process' X509-SVID with its key, and the bundles that verify its peers: always the newest that the Workload API
 * gave. While the agent is away, it keeps what it has.
 *
 *     await using source = await X509Source.open();
 *     source.svid.id.toString(); // 'spiffe://example.org/web'
 */
export class X509Source implements X509Material, AsyncDisposable {
  readonly #api: WorkloadApi;
  readonly #live: LiveValue<X509Context>;
  readonly #pick: (svids: X509Context['svids']) => X509Svid;

  private constructor(
    api: WorkloadApi,
    live: LiveValue<X509Context>,
    pick: (svids: X509Context['svids']) => X509Svid,
  ) {
    this.#api = api;
    this.#live = live;
    this.#pick = pick;
  }

  /**
   * Resolves with the first answer of the Workload API, for which it waits as long as that takes: the agent may not be
   * there yet, or know no entry for this process yet. Rejects with the signal's reason, or with a Fault if asking again
   * is of no use ('invalid', 'unimplemented').
   */
  static async open({ signal, pick, ...options }: X509SourceOptions = {}): Promise<X509Source> {
    const api = new WorkloadApi(options);
    try {
      const live = await LiveValue.open((ended) => api.watchX509Context(ended), signal);
      return new X509Source(api, live, pick ?? (([first]) => first));
    } catch (error) {
      api[Symbol.dispose]();
      throw error;
    }
  }

  /** The one to use. It may have expired, where the agent has been away for long. */
  get svid(): X509Svid {
    return this.#pick(this.#live.current.svids);
  }

  get svids(): readonly X509Svid[] {
    return this.#live.current.svids;
  }

  /** Undefined where this process is to trust nobody of that trust domain. */
  bundleOf(trustDomain: TrustDomain): Bundle | undefined {
    return this.#live.current.bundles.of(trustDomain);
  }

  /**
   * What there is now, and the newest after each change; ends when the source is disposed, or the signal aborts. Throws
   * a Fault where the Workload API takes such calls no more ('invalid', 'unimplemented').
   */
  updates(signal?: AbortSignal): AsyncGenerator<X509Context, void> {
    return this.#live.updates(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#live.dispose();
    this.#api[Symbol.dispose]();
  }
}
