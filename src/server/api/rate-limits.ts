import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { keyedBuckets } from '../../base/keyed-buckets.ts';
import { methodPath } from '../../rpc/service.ts';
import { Agent } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { SVID } from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';

export type RateLimitSwitches = { readonly attestation: boolean; readonly signing: boolean };

export type RateLimitedCall = {
  readonly method: string;
  /** The source's IP address. */
  readonly address: string;
  /** Milliseconds since the Unix epoch; Infinity: none. */
  readonly deadline: number;
  readonly signal: AbortSignal;
};

export interface RateLimits {
  /** Waits, in order of arrival. Throws 'exhausted' where that can never be, or not before the deadline. */
  take(call: RateLimitedCall, count: number): Promise<void>;
}

type LimitRow = {
  readonly perSecond: number;
  readonly switchedBy?: keyof RateLimitSwitches;
  /** Methods that share a bucket. */
  readonly methods: readonly string[];
};

/** Tokens a second and at once, for each source address (`reference/server.md` §5.6). */
const limits: readonly LimitRow[] = [
  { perSecond: 1, switchedBy: 'attestation', methods: [methodPath(Agent.method.attestAgent)] },
  {
    perSecond: 500,
    switchedBy: 'signing',
    methods: [
      methodPath(SVID.method.batchNewX509SVID),
      methodPath(SVID.method.newDownstreamX509CA),
      methodPath(Agent.method.renewAgent),
    ],
  },
  { perSecond: 500, switchedBy: 'signing', methods: [methodPath(SVID.method.newJWTSVID)] },
  { perSecond: 500, switchedBy: 'signing', methods: [methodPath(SVID.method.batchNewWITSVID)] },
  {
    perSecond: 500,
    methods: [
      methodPath(Bundle.method.publishJWTAuthority),
      methodPath(Bundle.method.publishWITAuthority),
    ],
  },
  { perSecond: 10, methods: [methodPath(Agent.method.postStatus)] },
];

/** Methods whose handlers must ask for their turn. */
export const rateLimitedMethods: ReadonlySet<string> = new Set(
  limits.flatMap(({ methods }) => methods),
);

export function createRateLimits(
  switches: RateLimitSwitches,
  clock: Pick<Clock, 'now' | 'sleep'>,
): RateLimits {
  const limiters = new Map(
    limits
      .filter(({ switchedBy }) => switchedBy === undefined || switches[switchedBy])
      .flatMap(({ perSecond, methods }) => {
        const limiter = createLimiter(perSecond, clock);
        return methods.map((method) => [method, limiter] as const);
      }),
  );
  return {
    async take(call, count) {
      if (!rateLimitedMethods.has(call.method)) {
        throw new Fault('internal', `rate limiting misconfigured for "${call.method}"`);
      }
      await limiters.get(call.method)?.(call, count);
    },
  };
}

function createLimiter(burst: number, clock: Pick<Clock, 'now' | 'sleep'>) {
  const bucketOf = keyedBuckets(burst, clock);
  return async ({ address, deadline, signal }: RateLimitedCall, count: number): Promise<void> => {
    if (count > burst) {
      throw new Fault('exhausted', `rate (${count}) exceeds burst size (${burst})`);
    }
    const bucket = bucketOf(address);
    const wait = bucket.take(count, clock.now(), deadline - clock.now());
    if (wait === undefined) {
      throw new Fault('exhausted', `rate: Wait(n=${count}) would exceed context deadline`);
    }
    if (wait === 0) return;
    await clock.sleep(wait, signal).catch((error: unknown) => {
      bucket.giveBack(count);
      throw error;
    });
  };
}
