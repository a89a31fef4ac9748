import type { Clock } from '../../base/clock.ts';
import type { Round } from './round.ts';

export type MissesDeps = {
  /** Whether an entry applies to whoever has these selectors. */
  readonly hasMatch: (selectors: ReadonlySet<string>) => boolean;
  /** Has the agent synchronise at once. */
  readonly synchronizeSoon: () => Pick<Round, 'hasBegun' | 'ended'>;
  /** How often the server is asked anyway. */
  readonly intervalMilliseconds: number;
  readonly clock: Clock;
};

/**
 * A caller without an identity waits so long for the server's word at most: far less than any client's patience, far
 * more than a server that is well needs.
 */
const PATIENCE_MILLISECONDS = 500;
/** So many misses in a row are asked about, and then one in each interval: at most twice the usual number of questions. */
const BURST = 4;

/**
 * A workload that no entry applies to may only be earlier than the news of its entry. SPIRE's agent turns it away until
 * the next poll; here the server is asked first, unless it was asked too often lately.
 */
export class Misses {
  readonly #deps: MissesDeps;
  #left = BURST;
  #countedAt: number;
  #round: ReturnType<MissesDeps['synchronizeSoon']> | undefined;

  constructor(deps: MissesDeps) {
    this.#deps = deps;
    this.#countedAt = deps.clock.now();
  }

  /** As `Identities.awaitEntry`. */
  async awaitEntry(selectors: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { hasMatch, clock } = this.#deps;
    if (selectors.size === 0 || hasMatch(selectors)) return;
    const round = this.#ask();
    if (round === undefined) return;
    const given = new AbortController();
    const patience = clock
      .sleep(PATIENCE_MILLISECONDS, AbortSignal.any([signal, given.signal]))
      .catch(() => undefined); // looked at below
    await Promise.race([round.ended, patience]);
    given.abort();
    signal.throwIfAborted();
  }

  /** A synchronisation that sees what the server knows now. Undefined: none, there were too many. */
  #ask(): Pick<Round, 'ended'> | undefined {
    if (this.#round !== undefined && !this.#round.hasBegun) return this.#round;
    if (!this.#take()) return undefined;
    this.#round = this.#deps.synchronizeSoon();
    return this.#round;
  }

  #take(): boolean {
    const { clock, intervalMilliseconds } = this.#deps;
    // The clock may have been set back.
    const passed = Math.max(0, clock.now() - this.#countedAt);
    this.#left = Math.min(BURST, this.#left + passed / intervalMilliseconds);
    this.#countedAt = clock.now();
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
