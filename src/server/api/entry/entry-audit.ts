import type { LogFields } from '../../../ops/log.ts';
import { selectorText } from '../../../spiffe/selector.ts';
import type { Entry, EntryMask } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { spiffeIdFromProto } from '../../../wire/spiffe-id.ts';
import { commaList } from '../audit-values.ts';

type MaskBit = Exclude<keyof EntryMask, '$typeName' | '$unknown'>;

/** How each field of a request's entry is audited, by its mask bit; `{}` where it is not (`reference/server.md` §14.2). */
const fieldsByMaskBit: Readonly<Partial<Record<MaskBit, (entry: Entry) => LogFields>>> = {
  spiffeId: ({ spiffeId }) => idField('spiffe_id', spiffeId),
  parentId: ({ parentId }) => idField('parent_id', parentId),
  selectors: ({ selectors }) => listField('selectors', selectors.map(selectorText)),
  x509SvidTtl: ({ x509SvidTtl }) => ({ x509_svid_ttl: x509SvidTtl }),
  jwtSvidTtl: ({ jwtSvidTtl }) => ({ jwt_svid_ttl: jwtSvidTtl }),
  federatesWith: ({ federatesWith }) => listField('federates_with', federatesWith),
  admin: ({ admin }) => ({ admin }),
  downstream: ({ downstream }) => ({ downstream }),
  expiresAt: ({ expiresAt }) => ({ expires_at: expiresAt }),
  dnsNames: ({ dnsNames }) => listField('dns_name', dnsNames),
  revisionNumber: ({ revisionNumber }) => ({ revision_number: revisionNumber }),
  storeSvid: ({ storeSvid }) => ({ store_svid: storeSvid }),
  hint: ({ hint }) => ({ hint }),
  createdAt: ({ createdAt }) => ({ created_at: createdAt }),
};

/** The request's values, well formed or not; of an update only those that the mask names. */
export function entryAuditFields(entry: Entry, mask?: EntryMask): LogFields {
  const rows = Object.entries(fieldsByMaskBit) as [MaskBit, (entry: Entry) => LogFields][];
  return Object.assign(
    entry.id === '' ? {} : { entry_id: entry.id },
    ...rows.filter(([bit]) => mask === undefined || mask[bit]).map(([, field]) => field(entry)),
  ) as LogFields;
}

function idField(name: string, id: Entry['spiffeId']): LogFields {
  try {
    return { [name]: spiffeIdFromProto(id).toString() };
  } catch {
    return {}; // the refusal says what is wrong with it
  }
}

const listField = (name: string, values: readonly string[]): LogFields =>
  values.length === 0 ? {} : { [name]: commaList(values) };
