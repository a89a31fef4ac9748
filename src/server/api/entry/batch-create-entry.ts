import type { MessageInitShape } from '@bufbuild/protobuf';
import { okStatus } from '../../../rpc/status.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { entryFromProto, entryToProto } from '../../../wire/entry.ts';
import type {
  BatchCreateEntryRequest,
  BatchCreateEntryResponse_ResultSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Entry } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import type { Call } from '../call.ts';
import { PlainFault, rethrow } from '../refusal.ts';
import { entryAuditFields } from './entry-audit.ts';
import { sortedAsAnswered } from './sorted-as-answered.ts';

export type BatchCreateEntryDeps = {
  readonly entries: Pick<EntryRegistry, 'create'>;
  readonly trustDomain: TrustDomain;
};

type Result = MessageInitShape<typeof BatchCreateEntryResponse_ResultSchema>;

export async function batchCreateEntry(
  { entries, trustDomain }: BatchCreateEntryDeps,
  request: Pick<BatchCreateEntryRequest, 'entries' | 'outputMask'>,
  call: Pick<Call, 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  const create = async (proto: Entry, item: BatchItem): Promise<Result> => {
    item.audit(entryAuditFields(proto));
    const wanted = prefixed('failed to convert entry', () => entryFromProto(proto, trustDomain));
    const { entry, created } = await entries
      .create(wanted)
      .catch(rethrow('failed to create entry', { kind: 'keep' }));
    const status = created
      ? okStatus
      : item.refused(new PlainFault('already-exists', 'similar entry already exists'));
    const shown = created ? sortedAsAnswered(entry) : entry;
    return { status, entry: entryToProto(shown, request.outputMask) };
  };
  const refused = (_: Entry, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, request.entries, { act: create, refused }) };
}
