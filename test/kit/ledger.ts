import assert from 'node:assert/strict';

/** What is there of something: '' if nothing. */
type State = string;

/**
 * What callers were told by a program that may be killed at any moment. Of everything there is a last state that was
 * acknowledged, and perhaps one that was asked for and not answered: after a restart it must be one of the two.
 */
export class Ledger {
  readonly #told = new Map<string, State>();
  readonly #asked = new Map<string, State | RegExp>();
  /** So many changes were acknowledged. */
  acknowledged = 0;

  /** The last state acknowledged. */
  told(name: string): State {
    return this.#told.get(name) ?? '';
  }

  /** All that are in such a state, as far as was acknowledged, and about which nothing is open. */
  settledAs(name: RegExp, state: RegExp): string[] {
    return [...this.#told].flatMap(([one, told]) =>
      name.test(one) && state.test(told) && !this.#asked.has(one) ? [one] : [],
    );
  }

  /** Asks for a change, by a call that resolves with the new state; it stays open if the call fails. */
  async change(name: string, wanted: State | RegExp, call: () => Promise<State>): Promise<void> {
    assert.ok(!this.#asked.has(name), `${name} is being changed already`);
    this.#asked.set(name, wanted);
    const state = await call();
    assert.ok(isAsWanted(state, wanted), `${name}: asked for ${String(wanted)}, told ${state}`);
    this.#told.set(name, state);
    this.#asked.delete(name);
    this.acknowledged++;
  }

  /** Compares with what is there, of everything; what was open is as it is from now on. */
  settle(actual: ReadonlyMap<string, State>): void {
    const names = new Set([...actual.keys(), ...this.#told.keys(), ...this.#asked.keys()]);
    for (const name of names) {
      const state = actual.get(name) ?? '';
      const wanted = this.#asked.get(name);
      const isDone = wanted !== undefined && isAsWanted(state, wanted);
      assert.ok(
        isDone || state === this.told(name),
        `${name} is "${state}"; acknowledged was "${this.told(name)}", open ${String(wanted ?? 'nothing')}`,
      );
      this.#told.set(name, state);
    }
    this.#asked.clear();
  }
}

const isAsWanted = (state: State, wanted: State | RegExp): boolean =>
  typeof wanted === 'string' ? state === wanted : wanted.test(state);
