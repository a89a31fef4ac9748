import { Fault } from '../../base/fault.ts';
import type { Env } from './env.ts';

/**
 * A server or an agent holds keys, so that it does not run where anyone may read its memory, or where Node does not
 * check certificates. Throws 'failed-precondition'.
 */
export async function refuseUnsafe({ variables, host }: Pick<Env, 'variables' | 'host'>) {
  if (variables['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    throw new Fault(
      'failed-precondition',
      'NODE_TLS_REJECT_UNAUTHORIZED switches off the checking of certificates; unset it',
    );
  }
  if (await host.inspected()) {
    throw new Fault(
      'failed-precondition',
      'a debugger could read the keys in memory; run without --inspect, also in NODE_OPTIONS',
    );
  }
}
