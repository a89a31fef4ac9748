import { type DenialReason, Fault, type FaultKind, kindOf } from '../../base/fault.ts';
import { rpcErrorText } from '../../rpc/status.ts';

/** A failed call to the server, its status in Go's form. */
export const bareRpcFailure = (thrown: unknown): unknown => inWords('', thrown);

/** The same with words before it. */
export const rpcFailure = (prefix: string, thrown: unknown): unknown =>
  inWords(`${prefix}: `, thrown);

function inWords(before: string, thrown: unknown): unknown {
  if (!(thrown instanceof Fault)) return thrown; // we gave it up ourselves
  return new Fault(thrown.kind, `${before}${rpcErrorText(thrown)}`, {
    cause: thrown,
    ...(thrown.denial !== undefined && { denial: thrown.denial }),
  });
}

/** What the server's refusals mean for an agent (`reference/agent.md` §2.9). */
const classes = {
  expired: 'reattest',
  'not-attested': 'reattest',
  'not-active': 'reattest',
  'must-reattest': 'reattest',
  banned: 'shut-down',
} as const satisfies Record<DenialReason, string>;

/** Undefined: a failure like others, to be tried again. */
export function failureClass(thrown: unknown): 'reattest' | 'shut-down' | undefined {
  const denial = thrown instanceof Fault ? thrown.denial : undefined;
  return denial && classes[denial];
}

/** The server was not reached, or did not answer: it has said nothing that would count. */
export const isUnreachable = (thrown: unknown): boolean => unreachableKinds.has(kindOf(thrown));

const unreachableKinds: ReadonlySet<FaultKind> = new Set(['unavailable', 'deadline']);

/** The server's certificate does not stem from the bundle we hold; known by these words, as in SPIRE. */
export const isUnknownAuthority = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  thrown.message.includes('x509: certificate signed by unknown authority');

/** Whether a refusal is anywhere in the chain of causes. */
export function isDenied(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (error instanceof Fault && error.kind === 'denied') return true;
  }
  return false;
}
