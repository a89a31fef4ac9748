import type { MessageInitShape } from '@bufbuild/protobuf';
import { okStatus } from '../../../rpc/status.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { entryFieldsFromMask, entryFromProto, entryToProto } from '../../../wire/entry.ts';
import type {
  BatchUpdateEntryRequest,
  BatchUpdateEntryResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Entry } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { entryAuditFields } from './entry-audit.ts';
import { sortedAsAnswered } from './sorted-as-answered.ts';

export type BatchUpdateEntryDeps = {
  readonly entries: Pick<EntryRegistry, 'update'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchUpdateEntryResponse_ResultSchema>;

const FAILURE = 'failed to update entry';

export async function batchUpdateEntry(
  { entries, trustDomain }: BatchUpdateEntryDeps,
  request: Omit<BatchUpdateEntryRequest, '$typeName'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const { inputMask, outputMask } = request;
  const fields = entryFieldsFromMask(inputMask);
  const update = async (proto: Entry, item: BatchItem): Promise<Result> => {
    item.audit(entryAuditFields(proto, inputMask));
    const wanted = prefixed('failed to convert entry', () =>
      entryFromProto(proto, trustDomain, inputMask),
    );
    const entry = await entries
      .update(wanted, fields)
      .catch(rethrow(FAILURE, { notFound: FAILURE, kind: 'keep' }));
    return { status: okStatus, entry: entryToProto(sortedAsAnswered(entry), outputMask) };
  };
  const refused = (_: Entry, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, request.entries, { act: update, refused }) };
}
