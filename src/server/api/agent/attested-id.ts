import { Fault, reasonOf } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import { checkMember } from '../../../spiffe/id-rules.ts';
import { AGENT_PATH_PREFIX, SERVER_PATH, type SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';

/**
 * What an attestor may call an agent: not what a server is called. Other IDs outside its own namespace only leave a
 * warning (`reference/server.md` §14.4, step 5). Throws 'internal'.
 */
export function checkAttestedId(
  id: SpiffeId,
  type: string,
  trustDomain: TrustDomain,
  log: Log,
): void {
  if (id.path === SERVER_PATH) {
    throw new Fault('internal', 'agent ID cannot collide with the server ID');
  }
  const problem = problemWith(id, type, trustDomain);
  if (problem === undefined) return;
  // The misspelt word is SPIRE's; operators search for this line.
  log.warn(
    'The node attestor produced an invalid agent ID; future releases will enforce that agent IDs are within the reserved agent namesepace for the node attestor',
    { agent_id: id.toString(), node_attestor_type: type, error: problem },
  );
}

function problemWith(id: SpiffeId, type: string, trustDomain: TrustDomain): string | undefined {
  try {
    checkMember(id, trustDomain);
  } catch (error) {
    return reasonOf(error);
  }
  if (id.path.startsWith(`${AGENT_PATH_PREFIX}${type}/`)) return undefined;
  return `"${id.toString()}" is not in the agent namespace for attestor "${type}"`;
}
