import { reasonOf } from '../../../base/fault.ts';
import type { LogFields } from '../../../ops/log.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { BundleStore } from '../../datastore/contract.ts';
import type { Call } from '../call.ts';

export type IsServingDeps = {
  /** The datastore's: a server that has lost it is not healthy, whatever it still remembers. */
  readonly storedBundles: Pick<BundleStore, 'get'>;
  readonly trustDomain: TrustDomain;
};

/** Healthy is who can fetch the own bundle (`reference/server.md` §14.9). */
export async function isServing(
  { storedBundles, trustDomain }: IsServingDeps,
  call: Pick<Call, 'log'>,
): Promise<boolean> {
  const problem = await storedBundles.get(trustDomain).then(
    (bundle): LogFields | undefined => (bundle ? undefined : { reason: 'bundle is missing' }),
    (error: unknown) => ({ reason: 'unable to fetch bundle', error: reasonOf(error) }),
  );
  if (problem !== undefined) call.log.warn('Health check failed', problem);
  return problem === undefined;
}
