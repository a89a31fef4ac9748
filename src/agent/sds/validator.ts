import type { Node } from '../../wire/gen/envoy/config/core/v3/base_pb.ts';

/** How peers are to be checked: by Envoy's SPIFFE validator, or against the authorities of one trust domain. */
export type Validator = 'spiffe' | 'root-ca';

const METADATA_KEY = 'disable_spiffe_cert_validation';
/** The last Envoy without the SPIFFE validator is 1.17. */
const LAST_MINOR_WITHOUT = 17;

/**
 * Decided for each Envoy: its version comes first, then what it says of itself, then the agent's configuration
 * (`reference/agent.md` §4.5).
 */
export function validatorFor(node: Node | undefined, disabledByDefault: boolean): Validator {
  if (lacksSpiffeValidator(node)) return 'root-ca';
  return (goBool(node?.metadata?.[METADATA_KEY]) ?? disabledByDefault) ? 'root-ca' : 'spiffe';
}

function lacksSpiffeValidator(node: Node | undefined): boolean {
  if (node?.userAgentVersionType.case !== 'userAgentBuildVersion') return false;
  const { version } = node.userAgentVersionType.value;
  if (version === undefined) return false;
  const { majorNumber, minorNumber } = version;
  return majorNumber === 0 || (majorNumber === 1 && minorNumber <= LAST_MINOR_WITHOUT);
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A bool, or one in Go's spelling; anything else says nothing. */
function goBool(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return undefined;
  if (TRUE.has(value)) return true;
  return FALSE.has(value) ? false : undefined;
}
