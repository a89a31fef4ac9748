import { createBackoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { type FaultKind, kindOf } from '../../base/fault.ts';

export type AskUntilOptions = {
  /** When to give up, in milliseconds since the Unix epoch. */
  readonly endsAt: number;
  readonly signal: AbortSignal;
  /** Told of each failure after which there is another try. */
  readonly failed: (error: Error) => void;
};

/** No request takes longer, whatever becomes of the clock meanwhile. */
export const REQUEST_MILLISECONDS = 30_000;
const RETRY = { initialMs: 1000, maxMs: 24_000, multiplier: 1.5, jitter: 0.1 };

/** Failures that another try would not mend, or that SPIRE does not try again (`reference/agent.md` §3.6). */
const finalKinds: ReadonlySet<FaultKind> = new Set([
  'unknown',
  'canceled',
  'deadline',
  'invalid',
  'unimplemented',
]);

/** Asks the server again until that time, as long as another try may help. Throws what the last one failed with. */
export async function askUntil<T>(
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
  ask: (timeoutMilliseconds: number) => Promise<T>,
  { endsAt, signal, failed }: AskUntilOptions,
): Promise<T> {
  const backoff = createBackoff({ clock, random, ...RETRY });
  for (;;) {
    try {
      return await ask(Math.min(REQUEST_MILLISECONDS, endsAt - clock.now()));
    } catch (error) {
      const pause = backoff.next() ?? 0;
      const mayHelp = !signal.aborted && !finalKinds.has(kindOf(error));
      if (!mayHelp || clock.now() + pause >= endsAt) throw error;
      failed(error as Error);
      await clock.sleep(pause, signal);
    }
  }
}
