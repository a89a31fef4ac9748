import type { Clock } from './clock.ts';

export type RepeatOptions = {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
  /** The pause before the first run and between the end of one and the start of the next; asked for each time. */
  readonly milliseconds: number | (() => number);
};

/** Runs a task again and again until the signal aborts; then it resolves. Rejects if the task does. */
export async function repeat(
  { clock, signal, milliseconds }: RepeatOptions,
  task: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    const pause = typeof milliseconds === 'number' ? milliseconds : milliseconds();
    try {
      await clock.sleep(pause, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    await task();
  }
}
