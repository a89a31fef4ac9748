import { Fault } from '../../../base/fault.ts';
import type { LogFields } from '../../../ops/log.ts';
import { selectorText } from '../../../spiffe/selector.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { ListEntriesRequest_Filter } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import { selectorsFromProto } from '../../../wire/selector.ts';
import { memberIdFromProto, workloadIdFromProto } from '../../../wire/spiffe-id.ts';
import type { EntryFilter } from '../../registry/contract.ts';
import { commaList } from '../audit-values.ts';
import type { Call } from '../call.ts';
import { setMatchFromProto, setMatchName } from '../set-match.ts';

/** CountEntries and ListEntries filter alike. */
export type ProtoEntryFilter = Omit<ListEntriesRequest_Filter, '$typeName'>;

/**
 * Checks in SPIRE's order, with its words (`reference/server.md` §14.2), and puts into the audit record what was found
 * well formed. `failure` stands before what SPIRE's datastore would refuse. Throws 'invalid' or 'internal'.
 *
 * SPIRE applies `by_downstream` only after a page is cut, and so ends lists early; here it filters as the others do.
 */
export function entryFilterFromProto(
  filter: ProtoEntryFilter | undefined,
  trustDomain: TrustDomain,
  failure: string,
  call: Pick<Call, 'audit'>,
): EntryFilter {
  if (filter === undefined) return {};
  call.audit(auditFields(filter));

  const { byParentId, bySpiffeId, bySelectors, byFederatesWith } = filter;
  const parentId =
    byParentId &&
    prefixed('malformed parent ID filter', () => memberIdFromProto(byParentId, trustDomain));
  if (parentId) call.audit({ parent_id: parentId.toString() });

  const spiffeId =
    bySpiffeId &&
    prefixed('malformed SPIFFE ID filter', () => workloadIdFromProto(bySpiffeId, trustDomain));
  if (spiffeId) call.audit({ spiffe_id: spiffeId.toString() });

  const selectors =
    bySelectors &&
    prefixed('malformed selectors filter', () => {
      if (bySelectors.selectors.length === 0) throw new Fault('invalid', 'empty selector set');
      return selectorsFromProto(bySelectors.selectors);
    });
  const trustDomains =
    byFederatesWith &&
    prefixed('malformed federates with filter', () => {
      if (byFederatesWith.trustDomains.length === 0) {
        throw new Fault('invalid', 'empty trust domain set');
      }
      return byFederatesWith.trustDomains.map((name) => TrustDomain.parse(name));
    });

  return {
    parentId,
    spiffeId,
    selectors: selectors && {
      match: setMatchFromProto(bySelectors.match, `${failure}: unhandled selectors match behavior`),
      set: selectors,
    },
    federatesWith: trustDomains && {
      match: setMatchFromProto(
        byFederatesWith.match,
        `${failure}: unhandled federates with match behavior`,
      ),
      set: trustDomains,
    },
    hint: filter.byHint,
    downstream: filter.byDownstream,
  };
}

/** What is audited as it was given. */
const auditFields = ({
  byHint,
  bySelectors,
  byFederatesWith,
  byDownstream,
}: ProtoEntryFilter): LogFields => ({
  ...(byHint !== undefined && { hint: byHint }),
  ...(bySelectors && {
    by_selector_match: setMatchName(bySelectors.match),
    by_selectors: commaList(bySelectors.selectors.map(selectorText)),
  }),
  ...(byFederatesWith && {
    federates_with_match: setMatchName(byFederatesWith.match),
    federates_with: commaList(byFederatesWith.trustDomains),
  }),
  ...(byDownstream !== undefined && { downstream: byDownstream }),
});
