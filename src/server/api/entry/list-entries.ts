import type { Encoded } from '../../../rpc/service.ts';
import type { Entry } from '../../../spiffe/entry.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { encodeEntryOnce } from '../../../wire/entry.ts';
import {
  type ListEntriesRequest,
  ListEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { listAnswer } from '../list-answer.ts';
import { answerPage } from '../page.ts';
import { entryFilterFromProto } from './entry-filter.ts';

export type ListEntriesDeps = {
  readonly entries: Pick<EntryRegistry, 'select'>;
  readonly trustDomain: TrustDomain;
};

const ENTRIES = ListEntriesResponseSchema.field.entries.number;
const FAILURE = 'failed to list entries';
/** Only here SPIRE's datastore wraps its status into an error (`reference/server.md` §14.1). */
const TOKEN_FAILURE = `${FAILURE}: datastore-sql: rpc error: code = InvalidArgument desc = `;

export async function listEntries(
  { entries, trustDomain }: ListEntriesDeps,
  request: Omit<ListEntriesRequest, '$typeName'>,
  call: Pick<Call, 'audit' | 'signal'>,
): Promise<Encoded> {
  const filter = entryFilterFromProto(request.filter, trustDomain, FAILURE, call);
  return listAnswer(
    ListEntriesResponseSchema,
    ENTRIES,
    (entry: Entry) => encodeEntryOnce(entry, request.outputMask),
    answerPage(entries.select(filter), request, TOKEN_FAILURE),
    call,
  );
}
