import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { okStatus } from '../../../rpc/status.ts';
import type {
  BatchDeleteEntryRequest,
  BatchDeleteEntryResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';

export type BatchDeleteEntryDeps = { readonly entries: Pick<EntryRegistry, 'delete'> };

type Result = MessageInitShape<typeof BatchDeleteEntryResponse_ResultSchema>;

export async function batchDeleteEntry(
  { entries }: BatchDeleteEntryDeps,
  { ids }: Pick<BatchDeleteEntryRequest, 'ids'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const remove = async (id: string, item: BatchItem): Promise<Result> => {
    item.audit({ entry_id: id });
    if (id === '') throw new Fault('invalid', 'missing entry ID');
    await entries
      .delete(id)
      .catch(rethrow('failed to delete entry', { notFound: 'entry not found' }));
    return { status: okStatus, id };
  };
  const refused = (id: string, status: Result['status']): Result => ({ status, id });
  return { results: await answerEach(call, ids, { act: remove, refused }) };
}
