import type { Clock } from '../../base/clock.ts';

/** A pause that can be cut short; one caller at a time. A call that comes while nobody sleeps cuts the next one short. */
export class Nap {
  readonly #clock: Pick<Clock, 'sleep'>;
  #isCalled = false;
  #end: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'sleep'>) {
    this.#clock = clock;
  }

  wake(): void {
    this.#isCalled = true;
    this.#end?.();
  }

  /** Forgets calls that came while nobody slept. */
  forget(): void {
    this.#isCalled = false;
  }

  /** Resolves with whether it was cut short; rejects with the signal's reason when it aborts first. */
  async sleep(milliseconds: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const ended = new AbortController();
    const end = () => {
      ended.abort(signal.reason);
    };
    this.#end = end;
    signal.addEventListener('abort', end, { once: true });
    try {
      if (!this.#isCalled) await this.#clock.sleep(milliseconds, ended.signal);
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      this.#end = undefined;
      signal.removeEventListener('abort', end);
    }
    signal.throwIfAborted();
    const wasCalled = this.#isCalled;
    this.#isCalled = false;
    return wasCalled;
  }
}
