import { Fault } from '../../../base/fault.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import type { Env } from '../../kit/env.ts';
import { readInput } from '../../kit/files.ts';
import {
  boolShape,
  int32Shape,
  int64Shape,
  listShape,
  pointerShape,
  type Shape,
  structShape,
  textShape,
  unmarshalGoJson,
} from '../../kit/go-json-shape.ts';
import { within } from '../../kit/prefixed.ts';
import type { EntryMessage } from './entry-flags.ts';

const selector = structShape('common', 'Selector', { type: textShape, value: textShape });

/** An entry in a file (`reference/cli.md` §4.8.7). */
const fileEntry = structShape('common', 'RegistrationEntry', {
  selectors: listShape(pointerShape(selector)),
  parent_id: textShape,
  spiffe_id: textShape,
  x509_svid_ttl: int32Shape,
  federates_with: listShape(textShape),
  entry_id: textShape,
  admin: boolShape,
  downstream: boolShape,
  entryExpiry: int64Shape,
  dns_names: listShape(textShape),
  revision_number: int64Shape,
  store_svid: boolShape,
  jwt_svid_ttl: int32Shape,
  hint: textShape,
  created_at: int64Shape,
  additional_attributes: pointerShape(
    structShape('common', 'RegistrationEntry_AdditionalAttributes', {
      disable_x509_svid_prefetch: boolShape,
      jwt_svid_include_jti: boolShape,
    }),
  ),
});

const entriesFile = structShape('common', 'RegistrationEntries', {
  entries: listShape(pointerShape(fileEntry)),
});

type FileEntry = typeof fileEntry extends Shape<infer T> ? T : never;

/** The entries of a `-data` file. One bad entry spoils all. Throws 'invalid', or what reading the file throws. */
export async function readEntryFile(
  path: string,
  env: Pick<Env, 'readStdin'>,
): Promise<EntryMessage[]> {
  const text = Buffer.from(await readInput(path, env)).toString();
  const file = unmarshalGoJson(entriesFile, text);
  if (file === undefined) throw new Fault('invalid', 'null where an object with entries is needed');
  return file.entries.map((entry) => {
    if (entry === undefined) throw new Fault('invalid', 'missing registration entry');
    return entryMessage(entry);
  });
}

const entryMessage = (entry: FileEntry): EntryMessage => ({
  id: entry.entry_id,
  spiffeId: within('invalid SPIFFE ID', () => spiffeIdToProto(SpiffeId.parse(entry.spiffe_id))),
  parentId: within('invalid parent ID', () => spiffeIdToProto(SpiffeId.parse(entry.parent_id))),
  selectors: entry.selectors.map((given) => given ?? { type: '', value: '' }),
  x509SvidTtl: entry.x509_svid_ttl,
  jwtSvidTtl: entry.jwt_svid_ttl,
  federatesWith: entry.federates_with.map((name) =>
    within('invalid federated trust domain', () => TrustDomain.parse(name).name),
  ),
  admin: entry.admin,
  downstream: entry.downstream,
  expiresAt: entry.entryExpiry,
  dnsNames: [...entry.dns_names],
  revisionNumber: entry.revision_number,
  storeSvid: entry.store_svid,
  hint: entry.hint,
  createdAt: entry.created_at,
  additionalAttributes: entry.additional_attributes && {
    disableX509SvidPrefetch: entry.additional_attributes.disable_x509_svid_prefetch,
    jwtSvidIncludeJti: entry.additional_attributes.jwt_svid_include_jti,
  },
});
