import { formatGoDuration } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';

const MAX_INT32 = 2n ** 31n - 1n;
const MIN_INT32 = -(2n ** 31n);

const fits = (value: bigint): boolean => value >= MIN_INT32 && value <= MAX_INT32;

/** A flag's number for a 32-bit field. Throws 'invalid'; `what` names the flag's meaning. */
export function int32(what: string, value: bigint): number {
  if (fits(value)) return Number(value);
  throw new Fault(
    'invalid',
    `invalid value for ${what}: overflow converting int(${value}) to int32`,
  );
}

const NANOSECONDS = 1_000_000_000n;

/**
 * A duration as whole seconds, rounded up, for a 32-bit field. SPIRE adds a second short of a nanosecond and cuts, which
 * moves what is negative up by almost a second: -1s is 0. Throws 'invalid'.
 */
export function secondsInt32(what: string, nanoseconds: bigint): number {
  const seconds = (nanoseconds + NANOSECONDS - 1n) / NANOSECONDS;
  if (fits(seconds)) return Number(seconds);
  // SPIRE prints the seconds as if they were nanoseconds.
  const shown = formatGoDuration(seconds);
  throw new Fault(
    'invalid',
    `invalid value for ${what}: overflow converting time.Duration(${shown}) to int32`,
  );
}
