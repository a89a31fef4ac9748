import type { Bundle } from '../spiffe/bundle.ts';
import { emptyBundle } from '../spiffe/bundle.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { Bundles } from './responses.ts';
import { LiveValue } from './source.ts';
import { WorkloadApi } from './workload-api.ts';
import type { SourceOptions } from './x509-source.ts';

/**
 * The bundles that verify others, X509-SVIDs and JWT-SVIDs alike: for a process that only verifies, and needs no identity
 * of its own.
 */
export class BundleSource implements AsyncDisposable {
  readonly #api: WorkloadApi;
  readonly #x509: LiveValue<Bundles>;
  readonly #jwt: LiveValue<Bundles>;

  private constructor(api: WorkloadApi, x509: LiveValue<Bundles>, jwt: LiveValue<Bundles>) {
    this.#api = api;
    this.#x509 = x509;
    this.#jwt = jwt;
  }

  /** Resolves once the bundles of both kinds are there. Rejects as `X509Source.open` does. */
  static async open({ signal, ...options }: SourceOptions = {}): Promise<BundleSource> {
    const api = new WorkloadApi(options);
    try {
      const [x509, jwt] = await Promise.all([
        LiveValue.open((ended) => api.watchX509Bundles(ended), signal),
        LiveValue.open((ended) => api.watchJwtBundles(ended), signal),
      ]);
      return new BundleSource(api, x509, jwt);
    } catch (error) {
      api[Symbol.dispose]();
      throw error;
    }
  }

  /** The authorities of exactly that trust domain. */
  bundleOf(trustDomain: TrustDomain): Bundle | undefined {
    const x509 = this.#x509.current.of(trustDomain);
    const jwt = this.#jwt.current.of(trustDomain);
    if (x509 === undefined && jwt === undefined) return undefined;
    return {
      ...emptyBundle(trustDomain),
      x509Authorities: x509?.x509Authorities ?? [],
      jwtAuthorities: jwt?.jwtAuthorities ?? [],
    };
  }

  /** The trust domains that there is a bundle of. */
  trustDomains(): readonly TrustDomain[] {
    const all = [...this.#x509.current, ...this.#jwt.current].map(({ trustDomain }) => trustDomain);
    return [...new Map(all.map((trustDomain) => [trustDomain.name, trustDomain])).values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#x509.dispose();
    this.#jwt.dispose();
    this.#api[Symbol.dispose]();
  }
}
