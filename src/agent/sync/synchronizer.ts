import { createBackoff } from '../../base/backoff.ts';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { reasonOf, wrapFault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { isSignedByAny } from '../../spiffe/signed-by-any.ts';
import type { CurrentSvid } from '../attest/current-svid.ts';
import type { X509Cache } from '../cache/x509-cache.ts';
import { isX509RotationDue } from '../rotation.ts';
import { failureClass, isUnknownAuthority } from '../server/rpc-failure.ts';
import type { SyncOutcome } from '../status.ts';
import { dropTaintedSvids } from './drop-tainted-svids.ts';
import type { ServerUpdates } from './fetch-updates.ts';
import type { JwtSvids } from './jwt-svids.ts';
import type { X509SvidMinter } from './mint-x509-svids.ts';
import { Nap } from './nap.ts';
import { Round } from './round.ts';
import type { NewTaints, TaintedAuthorities } from './tainted-authorities.ts';

export type SynchronizerDeps = {
  /** `fetchUpdates` with its collaborators. */
  readonly fetchUpdates: (signal: AbortSignal) => Promise<ServerUpdates>;
  readonly cache: X509Cache;
  readonly jwtSvids: Pick<JwtSvids, 'dropSignedBy'>;
  readonly minter: Pick<X509SvidMinter, 'mint'>;
  readonly taints: TaintedAuthorities;
  readonly current: CurrentSvid;
  /** Stores the own trust domain's bundle; its failure is told, and made good at the next synchronisation. */
  readonly storeBundle: (bundle: Bundle) => Promise<void>;
  /** Whoever is at the other end may be gone without a word. */
  readonly connectionIsOld: () => void;
  readonly intervalMilliseconds: number;
  readonly availabilityTargetSeconds: number;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

const FACTOR = { multiplier: 1.5, jitter: 0.1 };
/** Failures stretch the interval up to so many of it, or to this, whichever is less. */
const MAX_INTERVALS = 48;
const MAX_INTERVAL_MILLISECONDS = 8 * 60_000;
/** So soon again after the start, and as long as nothing is cached. */
const FIRST_MILLISECONDS = 5000;
/** Not sooner again than this, however often somebody cannot wait: what changes in quick succession is asked for once. */
const MIN_PAUSE_MILLISECONDS = 20;
/** A pause that took so much longer or shorter than it should: timers stand still while the machine sleeps. */
const SLEPT_MILLISECONDS = 30_000;
/** How often SVIDs are minted that somebody waits for, between synchronisations. */
const MINT = { initialMs: 500, maxMs: 240_000, ...FACTOR };

/** Keeps entries, bundles and SVIDs as the server wants them (`reference/agent.md` §3). */
export class Synchronizer {
  readonly #deps: SynchronizerDeps;
  readonly #nap: Nap;
  readonly #mintingNap: Nap;
  #lastSuccess: number | undefined;
  #lastOutcome: SyncOutcome | undefined;
  /** The synchronisation that comes next. */
  #next = new Round();
  #current: Round | undefined;
  #isRunning = false;
  #mintingFails = false;
  #isBundleStored = true;
  /** One pass of minting at a time: both loops would ask for the same SVIDs. */
  #minting: Promise<unknown> = Promise.resolve();

  constructor(deps: SynchronizerDeps) {
    this.#deps = deps;
    this.#nap = new Nap(deps.clock);
    this.#mintingNap = new Nap(deps.clock);
  }

  /** Unix milliseconds of the last synchronisation of which every step succeeded. */
  get lastSuccess(): number | undefined {
    return this.#lastSuccess;
  }

  /** How the last one ended; undefined before the first. */
  get lastOutcome(): SyncOutcome | undefined {
    return this.#lastOutcome;
  }

  /** One whole cycle. Throws what went wrong; steps that were done stay done. */
  async synchronize(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    try {
      await this.#cycle(signal);
      this.#lastSuccess = clock.now();
      this.#lastOutcome = { endedAt: this.#lastSuccess, failure: undefined };
    } catch (error) {
      this.#lastOutcome = { endedAt: clock.now(), failure: reasonOf(error) };
      throw error;
    }
  }

  /** Synchronises at intervals until the signal aborts. Rejects when the server must not be asked again. */
  async run(signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    try {
      await this.#synchronizeAgain(signal);
    } finally {
      this.#isRunning = false;
      this.#next.end();
      this.#next = new Round();
    }
  }

  async #synchronizeAgain(signal: AbortSignal): Promise<void> {
    const { clock, random, intervalMilliseconds, cache, log } = this.#deps;
    const backoff = createBackoff({
      clock,
      random,
      initialMs: intervalMilliseconds,
      maxMs: Math.min(MAX_INTERVAL_MILLISECONDS, MAX_INTERVALS * intervalMilliseconds),
      ...FACTOR,
    });
    let wait = Math.min(backoff.next() ?? 0, FIRST_MILLISECONDS);
    for (;;) {
      await this.#rest(wait, signal);
      try {
        await this.#round(signal);
        backoff.reset();
        wait = backoff.next() ?? intervalMilliseconds;
        if (cache.svidCount === 0) wait = Math.min(wait, FIRST_MILLISECONDS);
      } catch (error) {
        signal.throwIfAborted();
        if (isUnknownAuthority(error)) {
          log.info('Synchronize failed, non-recoverable error', { error: error as Error });
          throw wrapFault('failed to sync with SPIRE Server', error);
        }
        log.error('Synchronize failed', { error: error as Error });
        if (failureClass(error) !== undefined) throw error;
        wait = backoff.next() ?? intervalMilliseconds;
      }
    }
  }

  /** The round that is under way, and the one that follows; none as long as the server fails us, or is not asked. */
  get rounds(): readonly Round[] {
    if (!this.#isRunning || this.#lastOutcome?.failure !== undefined) return [];
    return this.#current === undefined ? [this.#next] : [this.#current, this.#next];
  }

  /** The server has something new, or can be reached again: synchronises as soon as possible. */
  wake(): void {
    this.#nap.wake();
  }

  /** Mints what is waited for, until the signal aborts; its failures only make it slower. */
  async runMinting(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    const backoff = createBackoff({ clock, random, ...MINT });
    while (!signal.aborted) {
      await this.#mintingNap.sleep(backoff.next() ?? MINT.initialMs, signal);
      try {
        await this.#mint(signal);
        backoff.reset();
        this.#mintingFails = false;
      } catch (error) {
        signal.throwIfAborted();
        log.error('SVID sync failed', { error: error as Error });
        this.#mintingFails = true;
        this.#mintingNap.forget();
      }
    }
  }

  /** Somebody waits for an SVID: mints at once, unless the server has just failed us. */
  wakeMinting(): void {
    if (!this.#mintingFails) this.#mintingNap.wake();
  }

  /** Until it is time, or somebody cannot wait. */
  async #rest(milliseconds: number, signal: AbortSignal): Promise<void> {
    const { clock, connectionIsOld, log } = this.#deps;
    const began = clock.now();
    const wasCalled = await this.#nap.sleep(milliseconds, signal);
    const passed = clock.now() - began;
    if (passed > milliseconds + SLEPT_MILLISECONDS || passed < -SLEPT_MILLISECONDS) {
      log.info(
        'The machine slept, or its clock was set: the connection to the server is made anew',
      );
      connectionIsOld();
    }
    if (wasCalled) await clock.sleep(Math.max(0, MIN_PAUSE_MILLISECONDS - passed), signal);
  }

  async #round(signal: AbortSignal): Promise<void> {
    const round = this.#next;
    this.#next = new Round();
    this.#current = round;
    try {
      await this.synchronize(signal);
    } finally {
      this.#current = undefined;
      round.end();
    }
  }

  async #cycle(signal: AbortSignal): Promise<void> {
    const { fetchUpdates, cache, clock, log } = this.#deps;
    const { entries, bundles } = await fetchUpdates(signal);
    const former = cache.bundle;
    const own = bundles.find(({ trustDomain }) => trustDomain.equals(former.trustDomain));
    // Before the entries, so that what is dropped here is minted again in this very cycle.
    if (own !== undefined) {
      const tainted = this.#deps.taints.findNew(own, former, unixSeconds(clock));
      await this.#dropTainted(tainted, signal);
    }
    const { expiring, outdated } = cache.update(
      entries.filter(({ storeSvid }) => !storeSvid),
      bundles,
      (svid) => isX509RotationDue(svid, unixSeconds(clock), this.#rotationRule()),
    );
    if (cache.bundle !== former || !this.#isBundleStored) await this.#storeBundle(cache.bundle);
    if (expiring > 0) {
      log.debug('Updating expiring SVIDs in cache', {
        cache_type: 'workload',
        expiring_svids: expiring,
      });
    }
    if (outdated > 0) {
      log.debug('Updating SVIDs with outdated attributes in cache', {
        cache_type: 'workload',
        outdated_svids: outdated,
      });
    }
    await this.#mint(signal);
  }

  #mint(signal: AbortSignal): Promise<void> {
    const { cache, minter } = this.#deps;
    const pass = this.#minting.then(async () => {
      const stale = cache.staleEntries();
      if (stale.length > 0) cache.setSvids(await minter.mint(stale, signal));
    });
    this.#minting = pass.catch(() => undefined); // its caller is told
    return pass;
  }

  async #storeBundle(bundle: Bundle): Promise<void> {
    try {
      await this.#deps.storeBundle(bundle);
      this.#isBundleStored = true;
    } catch (error) {
      this.#isBundleStored = false;
      this.#deps.log.error('Could not store bundle', { error: error as Error });
    }
  }

  async #dropTainted({ x509, jwtKeyIds }: NewTaints, signal: AbortSignal): Promise<void> {
    const { cache, clock, current, jwtSvids, metrics, log } = this.#deps;
    if (jwtKeyIds.size > 0) jwtSvids.dropSignedBy(jwtKeyIds);
    if (x509.length === 0) return;
    const chain = Buffer.concat([...current.value.chain]);
    if (await isSignedByAny(x509, chain, unixSeconds(clock))) {
      log.info('Agent SVID is tainted by a root authority, forcing rotation');
      current.taint();
    }
    const { rest } = await dropTaintedSvids({ cache, metrics, clock, log }, x509, signal);
    rest.catch((error: unknown) => {
      log.error('Could not look for tainted SVIDs', { error: error as Error });
    });
  }

  #rotationRule() {
    const { availabilityTargetSeconds, random } = this.#deps;
    return { availabilityTargetSeconds, random };
  }
}
