import type { Clock } from './clock.ts';

/**
 * What was answered last is answered again to whoever asks so soon after; failures are not kept. A clock that was set
 * back ends that.
 */
export function keptAnswer<T>(
  milliseconds: number,
  clock: Pick<Clock, 'now'>,
  make: (now: number) => Promise<T>,
): () => Promise<T> {
  let last: { readonly answer: T; readonly at: number } | undefined;
  return async () => {
    const now = clock.now();
    const age = last === undefined ? Infinity : now - last.at;
    if (last !== undefined && age >= 0 && age < milliseconds) return last.answer;
    const answer = await make(now);
    last = { answer, at: now };
    return answer;
  };
}
