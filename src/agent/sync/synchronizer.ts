import { createBackoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { type Rebootstrap, STRANGER_REMEDY } from '../attest/rebootstrap.ts';
import { failureClass, isUnknownAuthority } from '../server/rpc-failure.ts';
import type { SyncOutcome } from '../status.ts';
import { Nap } from './nap.ts';
import { Round } from './round.ts';
import type { SyncCycle } from './sync-cycle.ts';

export type SynchronizerDeps = {
  readonly cycle: Pick<SyncCycle, 'run' | 'mint'>;
  /** Whether nothing is held for workloads: then the next round comes soon. */
  readonly isEmpty: () => boolean;
  readonly rebootstrap: Rebootstrap;
  /** Whoever is at the other end may be gone without a word. */
  readonly connectionIsOld: () => void;
  readonly intervalMilliseconds: number;
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

/** When entries, bundles and SVIDs are made what the server wants them to be (`reference/agent.md` §3.1, §3.4). */
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
      await this.#deps.cycle.run(signal);
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
    const { clock, random, intervalMilliseconds, isEmpty, rebootstrap, log } = this.#deps;
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
        rebootstrap.trusted();
        backoff.reset();
        wait = backoff.next() ?? intervalMilliseconds;
        if (isEmpty()) wait = Math.min(wait, FIRST_MILLISECONDS);
      } catch (error) {
        signal.throwIfAborted();
        if (isUnknownAuthority(error)) {
          await this.#meetStranger(error);
          wait = Math.min(backoff.next() ?? FIRST_MILLISECONDS, FIRST_MILLISECONDS);
          continue;
        }
        log.error('Synchronize failed', { error: error as Error });
        if (failureClass(error) !== undefined) throw error;
        wait = backoff.next() ?? intervalMilliseconds;
      }
    }
  }

  /** Throws when the agent must end, or is to start anew (`reference/agent.md` §2.7). */
  async #meetStranger(error: unknown): Promise<void> {
    const { rebootstrap, log } = this.#deps;
    if (!rebootstrap.isEnabled) {
      log.info('Synchronize failed, non-recoverable error', { error: error as Error });
      log.error(STRANGER_REMEDY);
      throw wrapFault('failed to sync with SPIRE Server', error);
    }
    if (!rebootstrap.isDue(log)) return;
    log.warn("Trust Bundle and Server don't agree, rebootstrapping");
    await rebootstrap.forgetAll();
    throw new Fault('failed-precondition', 'shutting down for rebootstrapping', { cause: error });
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
        await this.#deps.cycle.mint(signal);
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
}
