import { Fault } from '../base/fault.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../wire/gen/grpc/health/v1/health_pb.ts';
import { type BoundService, implement } from './service.ts';

/** `grpc.health.v1.Health` as SPIRE serves it: one answer for the whole program, and nothing to watch. */
export function healthService<Context>(
  isServing: (context: Context) => Promise<boolean>,
): BoundService<Context> {
  return implement<typeof Health, Context>(Health, {
    async check({ service }, context) {
      if (service !== '') throw new Fault('invalid', 'per-service health is not supported');
      return { status: (await isServing(context)) ? Status.SERVING : Status.NOT_SERVING };
    },
    // oxlint-disable-next-line require-yield -- it only refuses
    async *watch() {
      throw new Fault('unimplemented', 'method Watch not implemented');
    },
    async list() {
      throw new Fault('unimplemented', 'method List not implemented');
    },
  });
}
