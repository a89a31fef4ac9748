import { type Encoded, encoded } from '../../../rpc/service.ts';
import { entryEncoder } from '../../../wire/entry.ts';
import {
  type GetAuthorizedEntriesRequest,
  GetAuthorizedEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { joinMessages } from '../../../wire/join-messages.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { type Call, callingAgent } from '../call.ts';
import { encodeList } from '../encode-list.ts';

export type GetAuthorizedEntriesDeps = { readonly entries: Pick<EntryRegistry, 'authorizedFor'> };

const ENTRIES = GetAuthorizedEntriesResponseSchema.field.entries.number;

/** The entries' bytes are made once for all agents, and the answer is joined from them. */
export async function getAuthorizedEntries(
  { entries }: GetAuthorizedEntriesDeps,
  { outputMask }: Pick<GetAuthorizedEntriesRequest, 'outputMask'>,
  call: Pick<Call, 'caller' | 'signal'>,
): Promise<Encoded> {
  const authorized = entries.authorizedFor(callingAgent(call));
  const messages = await encodeList(authorized, entryEncoder(outputMask), call);
  return encoded(joinMessages(ENTRIES, messages));
}
