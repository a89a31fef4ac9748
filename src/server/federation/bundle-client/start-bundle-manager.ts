import type { Clock } from '../../../base/clock.ts';
import { reasonOf } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import {
  equalRelationships,
  type FederationRelationship,
} from '../../../spiffe/federation-relationship.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { RelationshipRegistry } from '../../registry/contract.ts';
import type { BundleManager } from '../contract.ts';
import { type UpdateBundleDeps, updateBundle } from './update-bundle.ts';
import { Updater } from './updater.ts';

export type BundleManagerDeps = Omit<UpdateBundleDeps, 'clock'> & {
  readonly relationships: Pick<RelationshipRegistry, 'rows' | 'reload'>;
  /** Of the configuration; they win where the API made one with the same trust domain. */
  readonly federatesWith: readonly FederationRelationship[];
  readonly clock: Clock;
  readonly log: Log;
};

/** How often it is looked whether another server changed a relationship (`reference/server.md` §10.3). */
const RELOAD_INTERVAL_MILLISECONDS = 10_000;

/** Polls at once, and from then on, for the bundle of every trust domain that there is a relationship with. */
export function startBundleManager(deps: BundleManagerDeps): BundleManager & AsyncDisposable {
  const log = deps.log.child({ subsystem_name: 'bundle_client' });
  const { clock } = deps;
  const stop = new AbortController();
  const managed = new ManagedTrustDomains(deps, log);
  let wake = new AbortController();
  let reloading: Promise<void> = managed.follow(wanted(deps));

  const reload = (): Promise<void> => {
    reloading = reloading.then(async () => {
      if (stop.signal.aborted) return;
      try {
        await deps.relationships.reload();
      } catch (error) {
        log.error('Failed to reload configs', { error: reasonOf(error) });
        return;
      }
      await managed.follow(wanted(deps));
    });
    return reloading;
  };

  const run = async () => {
    while (!stop.signal.aborted) {
      const woken = AbortSignal.any([stop.signal, wake.signal]);
      await clock.sleep(RELOAD_INTERVAL_MILLISECONDS, woken).catch((error: unknown) => {
        if (!woken.aborted) throw error;
      });
      wake = new AbortController(); // a change that comes while we read counts for the next time
      await reload();
    }
  };
  const running = run();

  return {
    relationshipsChanged() {
      wake.abort();
    },
    async refresh(trustDomain, signal) {
      await reload();
      return managed.refresh(trustDomain, signal);
    },
    async [Symbol.asyncDispose]() {
      log.info('Shutting down');
      stop.abort();
      await running;
      await managed.end();
    },
  };
}

function wanted({
  federatesWith,
  relationships,
}: BundleManagerDeps): readonly FederationRelationship[] {
  const configured = new Set(federatesWith.map(({ trustDomain }) => trustDomain.name));
  const dynamic = relationships.rows().map(({ value }) => value);
  return [
    ...federatesWith,
    ...dynamic.filter(({ trustDomain }) => !configured.has(trustDomain.name)),
  ];
}

/** An updater for each trust domain. */
class ManagedTrustDomains {
  readonly #deps: BundleManagerDeps;
  readonly #log: Log;
  readonly #updaters = new Map<string, Updater>();

  constructor(deps: BundleManagerDeps, log: Log) {
    this.#deps = deps;
    this.#log = log;
  }

  /** Takes up these relationships, and no others. Resolves when what is not among them has stopped. */
  async follow(relationships: readonly FederationRelationship[]): Promise<void> {
    const named = new Map(relationships.map((one) => [one.trustDomain.name, one]));
    await this.#stopAllBut(new Set(named.keys()));
    for (const relationship of named.values()) this.#manage(relationship);
  }

  async refresh({ name }: TrustDomain, signal: AbortSignal): Promise<boolean> {
    const updater = this.#updaters.get(name);
    if (updater === undefined) return false;
    await updater.refresh(signal);
    return true;
  }

  /** Resolves when nothing of it runs any more; the relationships go on, with the next start. */
  async end(): Promise<void> {
    const updaters = [...this.#updaters.values()];
    this.#updaters.clear();
    await Promise.all(updaters.map((updater) => updater.stop()));
  }

  #manage(relationship: FederationRelationship): void {
    const { trustDomain, bundleEndpointUrl, bundleEndpointProfile } = relationship;
    const endpoint = {
      bundle_endpoint_url: bundleEndpointUrl,
      bundle_endpoint_profile: bundleEndpointProfile.kind,
    };
    const known = this.#updaters.get(trustDomain.name);
    if (known === undefined) {
      const log = this.#log.child({ trust_domain: trustDomain.name });
      log.info('Trust domain is now managed', endpoint);
      this.#updaters.set(trustDomain.name, this.#updater(relationship, log));
    } else if (!equalRelationships(known.relationship, relationship)) {
      const fields = { ...endpoint, entry: trustDomain.name };
      this.#log.info('Updated configuration for managed trust domain', fields);
      known.relationship = relationship;
    }
  }

  #updater(relationship: FederationRelationship, log: Log): Updater {
    const { bundles, clock } = this.#deps;
    return new Updater(relationship, {
      stored: () => bundles.get(relationship.trustDomain),
      update: (current, signal) => updateBundle(this.#deps, current, signal),
      clock,
      log,
    });
  }

  async #stopAllBut(wantedNames: ReadonlySet<string>): Promise<void> {
    const stale = [...this.#updaters].filter(([name]) => !wantedNames.has(name));
    if (stale.length === 0) return;
    for (const [name] of stale) {
      this.#updaters.delete(name);
      this.#log.info('Trust domain no longer managed', { entry: name });
    }
    await Promise.all(stale.map(([, updater]) => updater.stop()));
  }
}
