import type { Clock } from '../base/clock.ts';
import { Fault, kindOf } from '../base/fault.ts';

export type FollowOptions<Response, Value> = {
  /** One call of a streaming method. */
  readonly stream: (signal: AbortSignal) => AsyncIterable<Response>;
  /** Throws if the answer is malformed. */
  readonly read: (response: Response) => Value;
  readonly clock: Clock;
  /** Told of each failure, and of each malformed answer. */
  readonly failed: (error: unknown) => void;
};

/** The first attempt after a stream that worked (A-4: at once, but for all of a node not in the same moment). */
const FIRST_RETRY_MILLISECONDS = 100;
const LONGEST_RETRY_SECONDS = 30;

/**
 * What a stream of the Workload API tells, over its ends: it is opened again after 0.1, 1, 2, ... 30 seconds, counted
 * anew after each answer. A malformed answer is told and passed over, the stream goes on. Ends when the signal aborts;
 * throws where asking again is of no use (E-11: 'invalid', 'unimplemented').
 */
export async function* follow<Response, Value>(
  { stream, read, clock, failed }: FollowOptions<Response, Value>,
  signal: AbortSignal,
): AsyncGenerator<Value, void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      for await (const response of stream(signal)) {
        failures = 0;
        const value = attempt(read, response, failed);
        if (value !== undefined) yield value.value;
      }
      throw new Fault('unavailable', 'the Workload API ended the stream');
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
      if (['invalid', 'unimplemented'].includes(kindOf(error))) throw error;
    }
    await clock.sleep(retryMilliseconds(failures), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

const retryMilliseconds = (failures: number): number =>
  failures === 0 ? FIRST_RETRY_MILLISECONDS : Math.min(failures, LONGEST_RETRY_SECONDS) * 1000;

function attempt<Response, Value>(
  read: (response: Response) => Value,
  response: Response,
  failed: (error: unknown) => void,
): { value: Value } | undefined {
  try {
    return { value: read(response) };
  } catch (error) {
    // What a Workload API says wrongly it may say rightly next time.
    failed(error);
    return undefined;
  }
}
