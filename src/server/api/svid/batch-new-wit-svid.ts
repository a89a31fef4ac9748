import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { okStatus } from '../../../rpc/status.ts';
import type {
  BatchNewWITSVIDRequest,
  BatchNewWITSVIDResponse_ResultSchema,
  NewWITSVIDParams,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { Issuer } from '../../ca/contract.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import { type Call, callingAgent } from '../call.ts';
import { notFound, rethrow } from '../refusal.ts';
import { requestedWitKey, witSvidToProto } from './wit-svid-answer.ts';

export type BatchNewWitSvidDeps = {
  readonly entries: Pick<EntryRegistry, 'authorizedEntry'>;
  readonly issuer: Pick<Issuer, 'workloadWitSvid'>;
};

/** As for X509-SVIDs: enough for every thread, and few enough to leave the event loop to others. */
const AT_ONCE = 32;

type Result = MessageInitShape<typeof BatchNewWITSVIDResponse_ResultSchema>;

export async function batchNewWitSvid(
  { entries, issuer }: BatchNewWitSvidDeps,
  { params }: Pick<BatchNewWITSVIDRequest, 'params'>,
  call: Pick<Call, 'caller' | 'rateLimit' | 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  if (params.length === 0) throw new Fault('invalid', 'missing parameters');
  await call
    .rateLimit(params.length)
    .catch(rethrow('rejecting request due to certificate signing rate limiting', { kind: 'keep' }));
  const agent = callingAgent(call);

  const issue = async (wanted: NewWITSVIDParams, item: BatchItem): Promise<Result> => {
    item.audit({ entry_id: wanted.entryId, spiffe_id: '' });
    if (wanted.entryId === '') throw new Fault('invalid', 'missing entry ID');
    if (wanted.publicKey.length === 0) throw new Fault('invalid', 'missing public key');
    const entry = entries.authorizedEntry(agent, wanted.entryId);
    if (entry === undefined) throw notFound('entry not found or not authorized');
    const key = requestedWitKey('malformed public key', wanted);

    const { spiffeId: id, x509SvidTtlSeconds: ttlSeconds } = entry;
    const svid = await issuer
      .workloadWitSvid({ id, ...key, ttlSeconds })
      .catch(rethrow('failed to sign WIT-SVID'));
    item.audit({ spiffe_id: id.toString(), expires_at: svid.expiresAt });
    return { status: okStatus, svid: witSvidToProto(id, svid) };
  };
  const refused = (_: NewWITSVIDParams, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, params, { act: issue, refused, atOnce: AT_ONCE }) };
}
