import { Fault } from '../../base/fault.ts';
import type { Log, LogFields } from '../../ops/log.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { Caller } from './caller.ts';

/** What a handler knows of its call; made by the interceptor. */
export type Call = {
  /** Who calls, as far as it was asked for: authorised for this method. */
  readonly caller: Caller;
  /** Where from, `host:port`; empty for local callers. */
  readonly address: string;
  /** The caller's IP address; undefined for local callers. */
  readonly clientIp: string | undefined;
  /** Carries the call's own fields. */
  readonly log: Log;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Adds fields to the call's one audit record. */
  audit(fields: LogFields): void;
  /** For calls of many items: there is a record for each instead, written by the function returned. */
  auditItems(): (fields: LogFields, refusal?: Fault) => void;
  /** Waits its turn under the method's rate limit. Throws 'exhausted' where that cannot come in time. */
  rateLimit(count: number): Promise<void>;
};

/** The agent that calls. Throws 'internal' if it is none: authorisation lets nobody else through. */
export function callingAgent({ caller }: Pick<Call, 'caller'>): SpiffeId {
  if (caller.kind !== 'agent') {
    throw new Fault('internal', 'caller ID missing from request context');
  }
  return caller.id;
}
