import { clone, create } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import type { Client } from '../../../rpc/dial.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import {
  BatchUpdateEntryResponseSchema,
  Entry,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import {
  type Entry_AdditionalAttributes,
  Entry_AdditionalAttributesSchema,
} from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { readEntryFile } from './entry-file.ts';
import { checkEntryFlags, type EntryMessage, entryFields, entryFlags } from './entry-flags.ts';
import { printResults } from './print-results.ts';

const flags = {
  ...entryFlags,
  entryID: flag.string('ID of the entry to replace'),
  disableX509SVIDPrefetch: flag.presence('Fetch the X509-SVID only when a workload asks for it'),
  jwtSVIDIncludeJTI: flag.presence('Give each JWT-SVID a unique ID'),
};

type Given = FlagValues<typeof flags>;
type Entries = Client<typeof Entry>;

/** Replaces whole entries: a flag that is not given resets its field. */
export const entryUpdate = serverCommand({
  name: 'entry update',
  flags,
  services: { entry: Entry },
  async run(given, { api, out, readStdin }) {
    const entries =
      given.data === ''
        ? [await withAttributes(given, entryFromFlags(given), api.entry)]
        : await readEntryFile(given.data, { readStdin });
    const answer = await api.entry.batchUpdateEntry({ entries });
    printResults(out, 'update', entries, BatchUpdateEntryResponseSchema, answer);
  },
});

/** Checks in SPIRE's order. Throws 'invalid'. */
function entryFromFlags(given: Given): EntryMessage {
  if (given.entryID === '') throw new Fault('invalid', 'entry ID is required');
  checkEntryFlags(given, 'a parent ID is required');
  const parentId = spiffeIdToProto(SpiffeId.parse(given.parentID));
  const spiffeId = spiffeIdToProto(SpiffeId.parse(given.spiffeID));
  return { id: given.entryID, parentId, spiffeId, ...entryFields(given) };
}

/** Attributes are the one thing that is merged: those flags that are given join what the entry has. */
async function withAttributes(
  given: Given,
  entry: EntryMessage,
  entries: Pick<Entries, 'getEntry'>,
): Promise<EntryMessage> {
  const { disableX509SVIDPrefetch, jwtSVIDIncludeJTI } = given;
  if (!disableX509SVIDPrefetch && !jwtSVIDIncludeJTI) return entry;
  const { additionalAttributes } = await entries
    .getEntry({ id: given.entryID })
    .catch(prefixed('failed to fetch existing entry to merge additional attributes'));
  return {
    ...entry,
    additionalAttributes: merged(additionalAttributes, {
      ...(disableX509SVIDPrefetch && { disableX509SvidPrefetch: true }),
      ...(jwtSVIDIncludeJTI && { jwtSvidIncludeJti: true }),
    }),
  };
}

/** A copy, so that fields we do not know survive. */
const merged = (
  present: Entry_AdditionalAttributes | undefined,
  given: Partial<Pick<Entry_AdditionalAttributes, 'disableX509SvidPrefetch' | 'jwtSvidIncludeJti'>>,
): Entry_AdditionalAttributes =>
  Object.assign(
    present === undefined
      ? create(Entry_AdditionalAttributesSchema)
      : clone(Entry_AdditionalAttributesSchema, present),
    given,
  );
