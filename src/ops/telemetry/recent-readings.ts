/** Quantiles are of readings that young (`reference/server.md` §12). */
const WINDOW_MILLISECONDS = 10_000;
const SLOTS = 5;
const SLOT_MILLISECONDS = WINDOW_MILLISECONDS / SLOTS;
/** Of a slot with more readings a random choice of so many is kept: bounds one series at 8 KB. */
const MAX_KEPT = 200;

type Slot = { number: number; count: number; readonly kept: number[] };

/** The readings of the last ten seconds: all of them, or a fair choice where there are many. */
export class RecentReadings {
  readonly #slots: (Slot | undefined)[] = [];
  readonly #random: () => number;

  /** `random` is uniform in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  add(value: number, atMilliseconds: number): void {
    const slot = this.#slotAt(Math.floor(atMilliseconds / SLOT_MILLISECONDS));
    slot.count++;
    if (slot.kept.length < MAX_KEPT) {
      slot.kept.push(value);
      return;
    }
    const place = Math.floor(this.#random() * slot.count);
    if (place < MAX_KEPT) slot.kept[place] = value;
  }

  /** The smallest reading that is not less than such a share of all, for each share; NaN without readings. */
  quantiles(shares: readonly number[], atMilliseconds: number): readonly number[] {
    const current = Math.floor(atMilliseconds / SLOT_MILLISECONDS);
    const weighed = this.#slots
      .filter((slot) => slot !== undefined)
      .filter(({ number }) => number > current - SLOTS && number <= current)
      .flatMap(({ kept, count }) => kept.map((value) => ({ value, weight: count / kept.length })))
      .toSorted((a, b) => a.value - b.value);
    const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
    return shares.map((share) => {
      let seen = 0;
      return weighed.find(({ weight }) => (seen += weight) >= share * total)?.value ?? Number.NaN;
    });
  }

  #slotAt(number: number): Slot {
    const index = number % SLOTS;
    const slot = this.#slots[index];
    if (slot?.number === number) return slot;
    const fresh = { number, count: 0, kept: [] };
    this.#slots[index] = fresh;
    return fresh;
  }
}
