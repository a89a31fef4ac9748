import type { Log } from '../../ops/log.ts';
import type { Bundle, KeyAuthority } from '../../spiffe/bundle.ts';

/** The bundles that the agent holds. The own trust domain's is never without a value. */
export class BundleSet {
  readonly #own: string;
  readonly #bundles: Map<string, Bundle>;
  readonly #log: Log;

  constructor(own: Bundle, log: Log) {
    this.#own = own.trustDomain.name;
    this.#bundles = new Map([[this.#own, own]]);
    this.#log = log;
  }

  get own(): Bundle {
    // The constructor sets it, and `replace` never takes it away.
    return this.#bundles.get(this.#own) as Bundle;
  }

  /** The own one first, then the others ascending by trust domain. */
  get all(): readonly Bundle[] {
    const others = [...this.#bundles.keys()].filter((name) => name !== this.#own).sort();
    return [this.own, ...others.flatMap((name) => this.#bundles.get(name) ?? [])];
  }

  /** The bundles of those of these trust domains that are known, by name. The own one is not among them. */
  federated(names: ReadonlySet<string>): Bundle[] {
    const found: Bundle[] = [];
    for (const name of [...names].sort()) {
      const bundle = this.#bundles.get(name);
      if (bundle === undefined) {
        this.#log.warn('Federated bundle contents missing', {
          trust_domain_id: `spiffe://${name}`,
        });
      } else if (name !== this.#own) found.push(bundle);
    }
    return found;
  }

  /** Takes these in place of all others; answers the names of those that are new, gone or different. */
  replace(bundles: readonly Bundle[]): ReadonlySet<string> {
    const changed = new Set<string>();
    const named = new Map(bundles.map((bundle) => [bundle.trustDomain.name, bundle]));
    for (const name of this.#bundles.keys()) {
      if (named.has(name) || name === this.#own) continue;
      this.#bundles.delete(name);
      this.#tell('Bundle removed', name, changed);
    }
    for (const [name, bundle] of named) {
      const former = this.#bundles.get(name);
      if (former !== undefined && sameBundle(former, bundle)) continue;
      this.#bundles.set(name, bundle);
      this.#tell(former === undefined ? 'Bundle added' : 'Bundle updated', name, changed);
    }
    return changed;
  }

  #tell(what: string, name: string, changed: Set<string>): void {
    changed.add(name);
    this.#log.debug(what, { trust_domain_id: name });
  }
}

/** A new sequence number alone is a change; taints are none of a workload's business (`reference/agent.md` §3.5). */
function sameBundle(a: Bundle, b: Bundle): boolean {
  return (
    a.trustDomain.equals(b.trustDomain) &&
    a.refreshHintSeconds === b.refreshHintSeconds &&
    a.sequenceNumber === b.sequenceNumber &&
    a.x509Authorities.length === b.x509Authorities.length &&
    a.x509Authorities.every(({ der }, i) => sameBytes(der, b.x509Authorities[i]?.der)) &&
    sameKeys(a.jwtAuthorities, b.jwtAuthorities) &&
    sameKeys(a.witAuthorities, b.witAuthorities)
  );
}

function sameKeys(a: readonly KeyAuthority[], b: readonly KeyAuthority[]): boolean {
  if (a.length !== b.length) return false;
  const keys = new Map(b.map(({ keyId, publicKey }) => [keyId, publicKey]));
  return a.every(({ keyId, publicKey }) => sameBytes(publicKey, keys.get(keyId)));
}

const sameBytes = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && Buffer.compare(a, b) === 0;
