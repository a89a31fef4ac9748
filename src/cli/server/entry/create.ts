import { Fault } from '../../../base/fault.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import {
  BatchCreateEntryResponseSchema,
  Entry,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { readEntryFile } from './entry-file.ts';
import {
  checkEntryFlags,
  type EntryMessage,
  entryFields,
  entryFlags,
  nodeParent,
} from './entry-flags.ts';
import { printResults } from './print-results.ts';

const flags = {
  ...entryFlags,
  entryID: flag.string('ID of the entry; the server chooses one if there is none'),
  node: flag.bool('The entry is for nodes: the server is its parent'),
  disableX509SVIDPrefetch: flag.bool('Fetch the X509-SVID only when a workload asks for it'),
  jwtSVIDIncludeJTI: flag.bool('Give each JWT-SVID a unique ID'),
};

export const entryCreate = serverCommand({
  name: 'entry create',
  flags,
  services: { entry: Entry },
  async run(given, { api, out, readStdin }) {
    const entries =
      given.data === '' ? [entryFromFlags(given)] : await readEntryFile(given.data, { readStdin });
    const answer = await api.entry.batchCreateEntry({ entries });
    printResults(out, 'create', entries, BatchCreateEntryResponseSchema, answer);
  },
});

/** Checks in SPIRE's order. Throws 'invalid'. */
function entryFromFlags(given: FlagValues<typeof flags>): EntryMessage {
  if (given.selector.length > 0 && given.node && given.federatesWith.length > 0) {
    throw new Fault('invalid', 'node entries can not federate');
  }
  checkEntryFlags(
    given,
    given.node ? undefined : 'a parent ID is required if the node flag is not set',
  );
  const spiffeId = SpiffeId.parse(given.spiffeID);
  const parentId = given.node
    ? nodeParent(spiffeId)
    : spiffeIdToProto(SpiffeId.parse(given.parentID));
  const attributes = {
    disableX509SvidPrefetch: given.disableX509SVIDPrefetch,
    jwtSvidIncludeJti: given.jwtSVIDIncludeJTI,
  };
  return {
    id: given.entryID,
    spiffeId: spiffeIdToProto(spiffeId),
    parentId,
    ...entryFields(given),
    ...(Object.values(attributes).includes(true) && { additionalAttributes: attributes }),
  };
}
