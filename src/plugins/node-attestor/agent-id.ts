import { Fault, reasonOf } from '../../base/fault.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';

const AGENT_PATH = '/spire/agent';

/** The ID of an agent whose path ends so (`reference/node-attestation.md` §3.2). Throws 'invalid'. */
export function agentIdOfSuffix(trustDomain: TrustDomain, suffix: string): SpiffeId {
  try {
    if (!suffix.startsWith('/')) throw new Fault('invalid', 'path must have a leading slash');
    return SpiffeId.of(trustDomain, `${AGENT_PATH}${suffix}`);
  } catch (error) {
    throw new Fault('invalid', `invalid agent path suffix "${suffix}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
