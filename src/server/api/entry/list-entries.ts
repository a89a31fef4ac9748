import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { entryToProto } from '../../../wire/entry.ts';
import type {
  ListEntriesRequest,
  ListEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { answerPage } from '../page.ts';
import { entryFilterFromProto } from './entry-filter.ts';

export type ListEntriesDeps = {
  readonly entries: Pick<EntryRegistry, 'select'>;
  readonly trustDomain: TrustDomain;
};

const FAILURE = 'failed to list entries';
/** Only here SPIRE's datastore wraps its status into an error (`reference/server.md` §14.1). */
const TOKEN_FAILURE = `${FAILURE}: datastore-sql: rpc error: code = InvalidArgument desc = `;

export async function listEntries(
  { entries, trustDomain }: ListEntriesDeps,
  request: Omit<ListEntriesRequest, '$typeName'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof ListEntriesResponseSchema>> {
  const filter = entryFilterFromProto(request.filter, trustDomain, FAILURE, call);
  const page = answerPage(entries.select(filter), request, TOKEN_FAILURE);
  return {
    entries: page.values.map((entry) => entryToProto(entry, request.outputMask)),
    nextPageToken: page.nextPageToken,
  };
}
