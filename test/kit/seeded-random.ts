import { randomInt } from 'node:crypto';

/** The same draws for the same seed (Mulberry32); FAULT_SEED sets the seed of a whole run. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 to `limit` - 1. */
  integer(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Undefined only if there is nothing to pick from. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.integer(list.length)];
  }

  /** Draws of its own, which do not depend on who draws when. */
  fork(): SeededRandom {
    return new SeededRandom(this.integer(2 ** 32));
  }
}

/** Runs a test that draws at random; its failure says by which seed it is drawn again. */
export async function withSeed(run: (random: SeededRandom) => Promise<void>): Promise<void> {
  const given = process.env['FAULT_SEED'];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  try {
    await run(new SeededRandom(seed));
  } catch (error) {
    throw new Error(`with FAULT_SEED=${seed}: ${String(error)}`, { cause: error });
  }
}
