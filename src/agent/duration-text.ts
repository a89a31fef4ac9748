import { formatGoDuration } from '../base/duration.ts';

/** A wait as Go prints it, for the log: `5.2s`. */
export const durationText = (milliseconds: number): string =>
  formatGoDuration(BigInt(Math.round(milliseconds * 1e6)));
