import type { MessageInitShape } from '@bufbuild/protobuf';
import { type BoundService, implement } from '../../rpc/service.ts';
import {
  Explain,
  type ExplainProcessResponseSchema,
  Verdict as ProtoVerdict,
  MatchingEntry_Service as Service,
} from '../../wire/gen/steeple/agent/explain/v1/explain_pb.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { type ExplainDeps, explainProcess } from './explain-process.ts';
import type { AgentState, EntryService, Explanation, Verdict } from './explanation.ts';

/** `steeple.agent.explain.v1.Explain`, for the admin socket and no other. */
export const explainService = (deps: ExplainDeps): BoundService<WorkloadCall> =>
  implement<typeof Explain, WorkloadCall>(Explain, {
    explainProcess: async ({ pid }, { signal }) => toProto(await explainProcess(deps, pid, signal)),
  });

const toProto = (found: Explanation): MessageInitShape<typeof ExplainProcessResponseSchema> => ({
  pid: found.pid,
  verdict: verdicts[found.verdict],
  conclusion: found.conclusion,
  attestors: found.attestors.map(({ name, selectors, failure, durationMicroseconds }) => ({
    name,
    selectors: [...selectors],
    failure: failure ?? '',
    durationMicroseconds: BigInt(durationMicroseconds),
  })),
  matching: found.matching.map(({ service, svidExpiresAt, selectors, ...entry }) => ({
    ...entry,
    selectors: [...selectors],
    service: services[service.kind],
    hiddenBy: service.kind === 'hidden' ? service.by : '',
    svidExpiresAt: BigInt(svidExpiresAt ?? 0),
  })),
  near: found.near.map(({ entryId, spiffeId, has, lacks }) => ({
    entryId,
    spiffeId,
    has: [...has],
    lacks: lacks.map((one) => ({ selector: one.selector, found: [...one.found] })),
  })),
  nearCount: found.nearCount,
  agent: agentToProto(found.agent),
});

const agentToProto = (agent: AgentState) => ({
  spiffeId: agent.spiffeId,
  svidExpiresAt: BigInt(agent.svidExpiresAt),
  entryCount: agent.entryCount,
  lastSyncSuccess: seconds(agent.lastSyncSuccess),
  lastSync: seconds(agent.lastSync),
  lastSyncFailure: agent.lastSyncFailure ?? '',
});

const seconds = (milliseconds: number | undefined): bigint =>
  BigInt(Math.floor((milliseconds ?? 0) / 1000));

const verdicts = {
  'has-identity': ProtoVerdict.HAS_IDENTITY,
  'attestation-failed': ProtoVerdict.ATTESTATION_FAILED,
  'no-selectors': ProtoVerdict.NO_SELECTORS,
  'no-entries': ProtoVerdict.NO_ENTRIES,
  'no-entry-matches': ProtoVerdict.NO_ENTRY_MATCHES,
  'stored-only': ProtoVerdict.STORED_ONLY,
  'no-svid': ProtoVerdict.NO_SVID,
} satisfies Record<Verdict, ProtoVerdict>;

const services = {
  served: Service.SERVED,
  'not-signed-yet': Service.NOT_SIGNED_YET,
  expired: Service.EXPIRED,
  hidden: Service.HIDDEN,
  stored: Service.STORED,
} satisfies Record<EntryService['kind'], Service>;
