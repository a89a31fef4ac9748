/**
 * What went wrong, in words the caller can act on. One kind for each gRPC status, so that the one table in
 * `rpc/status.ts` turns a Fault into an answer; anything else that is thrown is a bug.
 */
export type FaultKind =
  | 'aborted'
  | 'already-exists'
  | 'canceled'
  | 'deadline'
  | 'denied'
  | 'exhausted'
  | 'failed-precondition'
  | 'internal'
  | 'invalid'
  | 'not-found'
  | 'out-of-range'
  | 'unauthenticated'
  | 'unavailable'
  | 'unimplemented'
  | 'unknown';

/** Why an agent was turned away; agents act on it (`reference/agent.md` §2.9). */
export type DenialReason = 'expired' | 'not-attested' | 'not-active' | 'banned' | 'must-reattest';

export type FaultOptions = { readonly cause?: unknown; readonly denial?: DenialReason };

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly kind: FaultKind;
  readonly denial: DenialReason | undefined;

  constructor(kind: FaultKind, message: string, { cause, denial }: FaultOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.denial = denial;
  }
}

/** The text of anything thrown. */
export const reasonOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

/** The kind of anything thrown; what is not a Fault is `unknown`, as SPIRE treats a plain error. */
export const kindOf = (thrown: unknown): FaultKind =>
  thrown instanceof Fault ? thrown.kind : 'unknown';

/** The same failure with words before it: `prefix: reason`. Keeps the kind unless another is given. */
export function wrapFault(
  prefix: string,
  thrown: unknown,
  kind: FaultKind = kindOf(thrown),
): Fault {
  const denial = thrown instanceof Fault ? thrown.denial : undefined;
  return new Fault(kind, `${prefix}: ${reasonOf(thrown)}`, {
    cause: thrown,
    ...(denial !== undefined && { denial }),
  });
}
