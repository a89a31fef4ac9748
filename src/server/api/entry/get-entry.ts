import { Fault } from '../../../base/fault.ts';
import type { Answer } from '../../../rpc/service.ts';
import { entryToProto } from '../../../wire/entry.ts';
import type { GetEntryRequest } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { notFound } from '../refusal.ts';

export type GetEntryDeps = { readonly entries: Pick<EntryRegistry, 'get'> };

export async function getEntry(
  { entries }: GetEntryDeps,
  { id, outputMask }: Pick<GetEntryRequest, 'id' | 'outputMask'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof EntrySchema>> {
  if (id === '') throw new Fault('invalid', 'missing ID');
  call.audit({ entry_id: id });
  const entry = entries.get(id);
  if (entry === undefined) throw notFound('entry not found');
  return entryToProto(entry, outputMask);
}
