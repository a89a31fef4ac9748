import { Fault } from '../../base/fault.ts';
import type { WorkloadCall } from './call.ts';

/** No HTTP header holds a token for more; each name is hashed, signed and compared, here and at the server. */
const MAX_NAMES = 1000;
const MAX_LENGTH = 64 * 1024;

/** Whom a token is to be for. Throws 'invalid' where that is nobody, or far too many. */
export function requireAudience(
  audience: readonly string[],
  { log }: Pick<WorkloadCall, 'log'>,
): void {
  if (audience.length === 0) {
    log.error('Missing required audience parameter');
    throw new Fault('invalid', 'audience must be specified');
  }
  const length = audience.reduce((sum, name) => sum + name.length, 0);
  if (audience.length > MAX_NAMES || length > MAX_LENGTH) {
    log.error('Audience parameter is too long', { count: audience.length, length });
    throw new Fault('invalid', 'audience is too long');
  }
}
