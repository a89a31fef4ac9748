import { Fault } from '../../../base/fault.ts';
import { selectorText } from '../../../spiffe/selector.ts';
import type { ListAgentsRequest_Filter } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import { selectorsFromProto } from '../../../wire/selector.ts';
import type { AgentFilter } from '../../registry/contract.ts';
import { commaList } from '../audit-values.ts';
import type { Call } from '../call.ts';
import { setMatchFromProto, setMatchName } from '../set-match.ts';
import { parseExpiresBefore } from './expires-before.ts';

/** CountAgents and ListAgents filter alike. */
export type ProtoAgentFilter = Omit<ListAgentsRequest_Filter, '$typeName'>;

/** Throws 'invalid' or 'internal' with SPIRE's words (`reference/server.md` §14.4). */
export function agentFilterFromProto(
  filter: ProtoAgentFilter | undefined,
  failure: string,
  call: Pick<Call, 'audit'>,
): AgentFilter {
  if (filter === undefined) return {};
  call.audit(auditFields(filter));
  return {
    attestationType: filter.byAttestationType || undefined,
    selectors: selectorFilter(filter.bySelectorMatch, failure),
    banned: filter.byBanned,
    canReattest: filter.byCanReattest,
    expiresBeforeUnixSeconds: parseExpiresBefore(filter.byExpiresBefore),
  };
}

function selectorFilter(
  match: ProtoAgentFilter['bySelectorMatch'],
  failure: string,
): AgentFilter['selectors'] {
  if (match === undefined) return undefined;
  const set = prefixed('failed to parse selectors', () => selectorsFromProto(match.selectors));
  if (set.length === 0) {
    throw new Fault('internal', `${failure}: cannot list by empty selectors set`);
  }
  return { match: setMatchFromProto(match.match, `${failure}: unhandled match behavior`), set };
}

const auditFields = (filter: ProtoAgentFilter) => ({
  ...(filter.byAttestationType !== '' && { node_attestor_type: filter.byAttestationType }),
  ...(filter.byBanned !== undefined && { by_banned: filter.byBanned }),
  ...(filter.byCanReattest !== undefined && { by_can_reattest: filter.byCanReattest }),
  ...(filter.bySelectorMatch && {
    by_selector_match: setMatchName(filter.bySelectorMatch.match),
    by_selectors: commaList(filter.bySelectorMatch.selectors.map(selectorText)),
  }),
});
