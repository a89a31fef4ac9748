import type { Clock } from './clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** A key that was not used for two of these is forgotten. */
const GENERATION_MILLISECONDS = 60_000;
/** Keys kept in a generation; beyond it the next begins at once. Bounds our memory, at about 100 bytes each. */
const MAX_KEYS = 32_768;

/** Token buckets by whoever they are for, each made full when it is first asked for, and forgotten when it is idle. */
export function keyedBuckets(
  perSecond: number,
  clock: Pick<Clock, 'now'>,
): (key: string) => TokenBucket {
  let current = new Map<string, TokenBucket>();
  let previous = new Map<string, TokenBucket>();
  let since = clock.now();
  return (key) => {
    const now = clock.now();
    if (Math.abs(now - since) >= GENERATION_MILLISECONDS || current.size >= MAX_KEYS) {
      previous = current;
      current = new Map();
      since = now;
    }
    const bucket =
      current.get(key) ?? previous.get(key) ?? new TokenBucket(perSecond, perSecond, now);
    current.set(key, bucket);
    return bucket;
  };
}
