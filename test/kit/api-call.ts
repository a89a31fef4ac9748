import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import type { Fault } from '../../src/base/fault.ts';
import type { LogFields } from '../../src/ops/log.ts';
import type { Call } from '../../src/server/api/call.ts';
import type { Caller } from '../../src/server/api/caller.ts';
import type { Agent } from '../../src/spiffe/agent.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { type LogLine, recordingLog } from './recording-log.ts';

export type AuditedItem = { readonly fields: LogFields; readonly refusal: string | undefined };

/** A call as a handler gets it, which remembers what the handler did with it. */
export type TestCall = Call & {
  /** All fields of the call's own audit record. */
  readonly audited: LogFields;
  readonly items: readonly AuditedItem[];
  readonly lines: readonly LogLine[];
  /** The costs that were asked of the rate limit. */
  readonly costs: readonly number[];
};

export type TestCallOptions = {
  readonly caller?: Caller;
  readonly signal?: AbortSignal;
  /** Refuses at the rate limit. */
  readonly exhausted?: Fault;
};

export function testCall({
  caller = { kind: 'local' },
  signal = new AbortController().signal,
  exhausted,
}: TestCallOptions = {}): TestCall {
  const audited: Record<string, LogFields[string]> = {};
  const items: AuditedItem[] = [];
  const lines: LogLine[] = [];
  const costs: number[] = [];
  return {
    caller,
    address: '127.0.0.1:4711',
    clientIp: '127.0.0.1',
    log: recordingLog(lines, {}, 'debug'),
    signal,
    audit: (fields) => {
      Object.assign(audited, fields);
    },
    auditItems: () => (fields, refusal) => {
      items.push({ fields, refusal: refusal?.message });
    },
    async rateLimit(count) {
      costs.push(count);
      if (exhausted) throw exhausted;
    },
    audited,
    items,
    lines,
    costs,
  };
}

/** Whom handlers of agents' methods are called by. */
export const agentCaller = (id: string | SpiffeId): Caller => {
  const spiffeId = typeof id === 'string' ? SpiffeId.parse(id) : id;
  return { kind: 'agent', id: spiffeId, agent: { ...plainAgent, id: spiffeId } };
};

/** An agent without anything special. */
export const plainAgent: Agent = {
  id: SpiffeId.parse('spiffe://example.org/spire/agent/plain'),
  attestationType: 'x509pop',
  serialNumber: '1001',
  expiresAt: 2_000_000_000,
  newSerialNumber: '',
  newExpiresAt: undefined,
  canReattest: false,
  agentVersion: '',
  selectors: [],
};

/** What a message is made of. */
export type Init<S extends DescMessage> = Exclude<MessageInitShape<S>, { $typeName: string }>;
