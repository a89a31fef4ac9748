import { Fault, type FaultKind, kindOf, reasonOf, wrapFault } from '../../base/fault.ts';
import type { Log, LogFields } from '../../ops/log.ts';
import { rpcErrorText } from '../../rpc/status.ts';
import { TaintFault } from '../ca/taint-bundle.ts';

/** A refusal that SPIRE returns without a line in its log ("plain" in `reference/server.md` §14). */
export class PlainFault extends Fault {}

/** What a handler cannot look up: NotFound leaves out what the layers below said. */
export const notFound = (message: string, cause?: unknown): Fault =>
  new Fault('not-found', message, { cause });

export type Rewording = {
  /** Says NotFound in these words; otherwise NotFound is a failure like others. */
  readonly notFound?: string;
  /** Internal by default; `keep` passes on the kind of the layer below, where 'unknown' becomes 'internal'. */
  readonly kind?: 'keep' | FaultKind;
};

/** For `.catch(...)`: throws the failure again, with the handler's words before it (`reference/server.md` §14.1). */
export const rethrow =
  (message: string, { notFound: missing, kind = 'internal' }: Rewording = {}) =>
  (thrown: unknown): never => {
    if (missing !== undefined && kindOf(thrown) === 'not-found') throw notFound(missing, thrown);
    throw wrapFault(message, thrown, kind === 'keep' ? kept(kindOf(thrown)) : kind);
  };

const kept = (kind: FaultKind): FaultKind => (kind === 'unknown' ? 'internal' : kind);

/** Nobody waits for the answer: not an error of anyone's. */
const silentKinds: ReadonlySet<FaultKind> = new Set(['canceled', 'deadline']);

/** Of what is audited, whom or what the call was about; SPIRE's lines name them under the same fields. */
const subjects = [
  'agent_id',
  'entry_id',
  'local_authority_id',
  'node_attestor_type',
  'spiffe_id',
  'subject_key_id',
  'trust_domain_id',
] as const;

/** The line that an error leaves in the log (`reference/server.md` §14.1), with the subject of the call. */
export function logRefusal(log: Log, thrown: unknown, audited: LogFields = {}): void {
  if (thrown instanceof PlainFault || silentKinds.has(kindOf(thrown))) return;
  const { message, inner } = parts(thrown);
  log.error(kindOf(thrown) === 'invalid' ? `Invalid argument: ${message}` : capitalised(message), {
    ...subjectOf(audited),
    ...(inner !== undefined && { error: innerText(inner) }),
  });
}

const subjectOf = (audited: LogFields): LogFields =>
  Object.fromEntries(subjects.filter((name) => audited[name]).map((name) => [name, audited[name]]));

/** Takes the composed text apart again: the handler's own words, and what the layer below said. */
function parts(thrown: unknown): { message: string; inner: unknown } {
  const whole = reasonOf(thrown);
  const inner = thrown instanceof Error ? thrown.cause : undefined;
  const suffix = `: ${reasonOf(inner)}`;
  if (inner === undefined || !whole.endsWith(suffix)) return { message: whole, inner: undefined };
  return { message: whole.slice(0, -suffix.length), inner };
}

/** Errors that are gRPC statuses in SPIRE print as such: those of the datastore, of plugins, of the limiter. */
const STATUS_TEXT = /^(datastore-|nodeattestor\(|rate)/;

const innerText = (inner: unknown): string =>
  inner instanceof TaintFault || STATUS_TEXT.test(reasonOf(inner))
    ? rpcErrorText(inner)
    : reasonOf(inner);

const capitalised = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
