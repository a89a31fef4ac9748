import type { Entry } from '../../../spiffe/entry.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';

/** One watch of one agent. What it is told while nobody reads is told as one. */
export class Watcher {
  readonly agent: SpiffeId;
  /** What the agent may serve, as of the last look; undefined before the first. */
  entries: readonly Entry[] | undefined;
  #hasNews = false;
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(agent: SpiffeId) {
    this.agent = agent;
  }

  tell(): void {
    this.#hasNews = true;
    this.#wake?.();
  }

  /** Nothing follows what was told so far. */
  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Whether there is news; false when none will follow, or the signal has aborted. One caller at a time. */
  async next(signal: AbortSignal): Promise<boolean> {
    while (!this.#hasNews && !this.#hasEnded && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => {
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      signal.removeEventListener('abort', wake);
      this.#wake = undefined;
    }
    if (signal.aborted) return false;
    const hadNews = this.#hasNews;
    this.#hasNews = false;
    return hadNews;
  }
}
