import type { Clock } from '../../base/clock.ts';
import type { Round } from './round.ts';

export type MissesDeps = {
  /** Whether an entry applies to whoever has these selectors. */
  readonly hasMatch: (selectors: ReadonlySet<string>) => boolean;
  /** The synchronisations that may bring news; the last one has not begun. None where there will be none. */
  readonly rounds: () => readonly Round[];
  /** Has the last of them begin at once. */
  readonly wake: () => void;
  /** How often the server is asked anyway. */
  readonly intervalMilliseconds: number;
  readonly clock: Clock;
};

/**
 * A caller without an identity waits so long for the server's word at most: far less than any client's patience, far
 * more than a server that is well needs.
 */
const ASKED_MILLISECONDS = 500;
/** The same where the server is not asked for this caller: it may be about to tell us by itself. */
const UNASKED_MILLISECONDS = 200;
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
  /** The round that was asked for last; whoever misses before it begins shares it. */
  #asked: Round | undefined;

  constructor(deps: MissesDeps) {
    this.#deps = deps;
    this.#countedAt = deps.clock.now();
  }

  /** As `Identities.awaitEntry`. */
  async awaitEntry(selectors: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { hasMatch, rounds, clock } = this.#deps;
    const isFound = () => selectors.size === 0 || hasMatch(selectors);
    const coming = isFound() ? [] : rounds();
    if (coming.length === 0) return;
    const wait = this.#ask(coming.at(-1)) ? ASKED_MILLISECONDS : UNASKED_MILLISECONDS;
    const over = new AbortController();
    const patience = clock
      .sleep(wait, AbortSignal.any([signal, over.signal]))
      .catch(() => undefined) // looked at below
      .finally(() => {
        over.abort();
      });
    for (const round of coming) {
      await Promise.race([round.ended, patience]);
      if (over.signal.aborted || isFound()) break;
    }
    over.abort();
    signal.throwIfAborted();
  }

  /** Whether the server is asked now. */
  #ask(next: Round | undefined): boolean {
    if (next === this.#asked) return true;
    if (!this.#take()) return false;
    this.#asked = next;
    this.#deps.wake();
    return true;
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
