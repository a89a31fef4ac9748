import { wrapFault } from '../../base/fault.ts';
import type { Policy, PolicySettings } from './open-policy.ts';

/** The configured policy, tried; undefined if there is none. Throws with SPIRE's words. */
export async function startPolicy(
  settings: PolicySettings | undefined,
): Promise<Policy | undefined> {
  if (settings === undefined) return undefined;
  try {
    const { openPolicy } = await import('./open-policy.ts');
    return await openPolicy(settings);
  } catch (error) {
    throw wrapFault('unable to obtain authpolicy engine', error);
  }
}
