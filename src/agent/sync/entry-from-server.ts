import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type {
  EntryMaskSchema,
  Entry as ProtoEntry,
} from '../../wire/gen/spire/api/types/entry_pb.ts';
import { safeNumber } from '../../wire/int64.ts';
import { prefixed } from '../../wire/prefixed.ts';
import { selectorsFromProto } from '../../wire/selector.ts';
import { spiffeIdFromProto } from '../../wire/spiffe-id.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';

/** What the agent asks to know of its entries (`reference/agent.md` §3.1); all else is false. */
export const authorizedEntryMask = {
  spiffeId: true,
  selectors: true,
  federatesWith: true,
  admin: true,
  downstream: true,
  revisionNumber: true,
  storeSvid: true,
  hint: true,
  additionalAttributes: true,
  createdAt: true,
} satisfies MessageInitShape<typeof EntryMaskSchema>;

/** Throws 'invalid' if the server sent something that is no entry. */
export function entryFromServer(proto: ProtoEntry): AuthorizedEntry {
  if (proto.id === '') throw new Fault('invalid', 'missing entry ID');
  const spiffeId = prefixed('invalid SPIFFE ID', () => spiffeIdFromProto(proto.spiffeId));
  const federatesWith = proto.federatesWith.map((name) =>
    prefixed('invalid federated trust domain', () => TrustDomain.parse(name)),
  );
  if (proto.selectors.length === 0) throw new Fault('invalid', 'empty selector list');
  return {
    id: proto.id,
    spiffeId,
    selectors: selectorsFromProto(proto.selectors),
    federatesWith,
    admin: proto.admin,
    downstream: proto.downstream,
    revisionNumber: safeNumber('revision_number', proto.revisionNumber),
    storeSvid: proto.storeSvid,
    hint: proto.hint,
    createdAt: safeNumber('created_at', proto.createdAt),
    disableX509SvidPrefetch: proto.additionalAttributes?.disableX509SvidPrefetch ?? false,
  };
}

/** Whether nothing that the agent knows of an entry has changed. */
export const sameEntry = (a: AuthorizedEntry, b: AuthorizedEntry): boolean =>
  a.revisionNumber === b.revisionNumber &&
  a.createdAt === b.createdAt &&
  a.spiffeId.equals(b.spiffeId) &&
  a.hint === b.hint &&
  a.admin === b.admin &&
  a.downstream === b.downstream &&
  a.storeSvid === b.storeSvid &&
  a.disableX509SvidPrefetch === b.disableX509SvidPrefetch &&
  sameList(a.federatesWith, b.federatesWith, (x, y) => x.equals(y)) &&
  sameList(a.selectors, b.selectors, (x, y) => x.type === y.type && x.value === y.value);

const sameList = <T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean =>
  a.length === b.length && a.every((item, index) => same(item, b[index] as T));
