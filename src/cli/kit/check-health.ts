import { Fault, reasonOf } from '../../base/fault.ts';
import type { Client } from '../../rpc/dial.ts';
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckResponse_ServingStatusSchema as StatusSchema,
} from '../../wire/gen/grpc/health/v1/health_pb.ts';
import type { Out } from './out.ts';

/** Asks a program how it is. Throws unless it serves; what went wrong with the call is told only if `verbose`. */
export async function checkHealth(
  who: 'server' | 'agent',
  health: Pick<Client<typeof Health>, 'check'>,
  out: Out,
  verbose: boolean,
): Promise<void> {
  const { status } = await health.check({}).catch((error: unknown) => {
    if (verbose) out.remark(`Failed to check health: ${reasonOf(error)}\n`);
    throw new Fault('unavailable', 'unable to determine health', { cause: error });
  });
  if (status !== Status.SERVING) {
    const name = StatusSchema.value[status]?.name ?? String(status);
    throw new Fault('unavailable', `${who} returned status "${name}"`);
  }
}
