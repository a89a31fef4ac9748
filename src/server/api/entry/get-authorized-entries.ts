import { type Encoded, encoded } from '../../../rpc/service.ts';
import { encodeEntries } from '../../../wire/entry.ts';
import {
  type GetAuthorizedEntriesRequest,
  GetAuthorizedEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { type Call, callingAgent } from '../call.ts';

export type GetAuthorizedEntriesDeps = { readonly entries: Pick<EntryRegistry, 'authorizedFor'> };

const ENTRIES = GetAuthorizedEntriesResponseSchema.field.entries.number;

/** The entries' bytes are made once for all agents, and the answer is joined from them. */
export async function getAuthorizedEntries(
  { entries }: GetAuthorizedEntriesDeps,
  { outputMask }: Pick<GetAuthorizedEntriesRequest, 'outputMask'>,
  call: Pick<Call, 'caller'>,
): Promise<Encoded> {
  const authorized = entries.authorizedFor(callingAgent(call));
  return encoded(encodeEntries(ENTRIES, authorized, outputMask));
}
