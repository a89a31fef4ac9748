import type { Clock } from '../../base/clock.ts';
import { Fault, kindOf } from '../../base/fault.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { SvidStore, SvidToStore } from '../../plugins/svid-store/contract.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import { Nap } from '../sync/nap.ts';
import type { StoreCache, StoreRecord } from './store-cache.ts';

export type StoreServiceDeps = {
  readonly cache: Pick<StoreCache, 'pending' | 'handled'>;
  readonly stores: readonly SvidStore[];
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
};

/** What failed is tried again so often, without end. */
const INTERVAL_MILLISECONDS = 5000;
/** A store that does not answer must not keep all others from their SVIDs. SPIRE waits for ever. */
const CALL_MILLISECONDS = 60_000;

const UPDATES = ['store', 'store_svid_updates'];

/** Tells stores of SVIDs what they have not learnt yet (`reference/agent.md` §5). */
export class StoreService {
  readonly #deps: StoreServiceDeps;
  readonly #stores: ReadonlyMap<string, SvidStore>;
  readonly #nap: Nap;

  constructor(deps: StoreServiceDeps) {
    this.#deps = deps;
    this.#stores = new Map(deps.stores.map((store) => [store.name, store]));
    this.#nap = new Nap(deps.clock);
  }

  /** There is something new: it is told at once. */
  wake(): void {
    this.#nap.wake();
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { metrics } = this.#deps;
    while (!signal.aborted) {
      await timedCall(metrics, UPDATES, () => this.#tellAll(signal));
      await this.#nap.sleep(INTERVAL_MILLISECONDS, signal).catch(() => undefined); // the loop sees it
    }
  }

  async #tellAll(signal: AbortSignal): Promise<void> {
    for (const record of this.#deps.cache.pending()) {
      if (signal.aborted) return;
      const isHandled = record.isRemoved
        ? await this.#delete(record.handledEntry ?? record.entry, signal)
        : await this.#put(record, signal);
      if (isHandled) this.#deps.cache.handled(record);
    }
  }

  async #put(record: StoreRecord, signal: AbortSignal): Promise<boolean> {
    const { entry, svid, handledEntry } = record;
    const { log } = this.#deps;
    if (handledEntry !== undefined && !haveSameSelectors(handledEntry, entry)) {
      await this.#delete(handledEntry, signal);
    }
    if (svid === undefined) return false;
    const fields = fieldsOf(entry);
    let toStore: SvidToStore;
    try {
      toStore = svidToStore(record, svid);
    } catch (error) {
      log.error('Failed to parse record', { ...fields, error: error as Error });
      return false;
    }
    const place = this.#placeOf(entry, 'storing', fields);
    if (place === undefined) return false;
    try {
      await withPatience(signal, (call) => place.store.put(toStore, place.metadata, call));
    } catch (error) {
      if (!signal.aborted) {
        log.error('Failed to put X509-SVID', { ...fields, error: error as Error });
      }
      return false;
    }
    log.debug('SVID stored successfully', { ...fields, svid_store: place.store.name });
    return true;
  }

  /** Whether nothing is there any more; also where nothing can ever have been. */
  async #delete(entry: AuthorizedEntry, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#deps;
    const fields = fieldsOf(entry);
    const place = this.#placeOf(entry, 'deleting', fields);
    if (place === undefined) return !hasStoreName(entry);
    try {
      await withPatience(signal, (call) => place.store.delete(place.metadata, call));
    } catch (error) {
      if (signal.aborted) return false;
      if (kindOf(error) !== 'invalid') {
        log.error('Failed to delete SVID', { ...fields, error: error as Error });
        return false;
      }
      log.debug('Failed to delete SVID because of malformed selectors', {
        ...fields,
        error: error as Error,
      });
      return true;
    }
    log.debug('SVID deleted successfully', { ...fields, svid_store: place.store.name });
    return true;
  }

  /** The store that the entry's selectors name, and what they say to it. */
  #placeOf(entry: AuthorizedEntry, doing: string, fields: ReturnType<typeof fieldsOf>) {
    const { log } = this.#deps;
    let name: string;
    try {
      name = storeName(entry);
    } catch (error) {
      log.error('Invalid store name in selectors', { ...fields, error: error as Error });
      return undefined;
    }
    const store = this.#stores.get(name);
    if (store !== undefined) {
      return { store, metadata: entry.selectors.map(({ value }) => value) };
    }
    log.error(`Error ${doing} SVID: SVIDStore not found`, { ...fields, svid_store: name });
    return undefined;
  }
}

/** Where it has none, nothing can ever have been stored. */
const hasStoreName = ({ selectors }: AuthorizedEntry): boolean =>
  new Set(selectors.map(({ type }) => type)).size === 1;

function storeName({ selectors }: AuthorizedEntry): string {
  const [type, ...others] = new Set(selectors.map((selector) => selector.type));
  if (type === undefined) throw new Fault('invalid', 'no selectors found');
  if (others.length > 0) throw new Fault('invalid', 'selector contains multiple types');
  return type;
}

/** Throws 'invalid' with SPIRE's words where the trust domain has no authorities. */
function svidToStore(
  { entry, bundle, federatedBundles }: StoreRecord,
  svid: X509Svid,
): SvidToStore {
  if (bundle.x509Authorities.length === 0) throw new Fault('invalid', 'no rootCA found');
  return {
    spiffeId: entry.spiffeId.toString(),
    chain: parseCertificates(svid.chain).map(({ der }) => der),
    privateKey: svid.privateKey,
    bundle: bundle.x509Authorities.map(({ der }) => der),
    expiresAt: svid.notAfter,
    federatedBundles: new Map(
      federatedBundles.map(({ trustDomain, x509Authorities }) => [
        trustDomain.idString,
        x509Authorities.map(({ der }) => der),
      ]),
    ),
  };
}

const withPatience = (
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<void>,
): Promise<void> => call(AbortSignal.any([signal, AbortSignal.timeout(CALL_MILLISECONDS)]));

function haveSameSelectors(a: AuthorizedEntry, b: AuthorizedEntry): boolean {
  const texts = ({ selectors }: AuthorizedEntry) =>
    selectors.map(({ type, value }) => `${type}:${value}`).join('\n');
  return texts(a) === texts(b);
}

const fieldsOf = (entry: AuthorizedEntry) => ({
  entry: entry.id,
  spiffe_id: entry.spiffeId.toString(),
  revision_number: entry.revisionNumber,
});
