import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { parseCsr, verifyCsr } from '../../../crypto/csr.ts';
import { okStatus } from '../../../rpc/status.ts';
import type {
  BatchNewX509SVIDRequest,
  BatchNewX509SVIDResponse_ResultSchema,
  NewX509SVIDParams,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { Issuer } from '../../ca/contract.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { sha256Hex } from '../audit-values.ts';
import { answerEach, type BatchItem } from '../batch.ts';
import { type Call, callingAgent } from '../call.ts';
import { notFound, rethrow } from '../refusal.ts';
import { x509SvidToProto } from '../x509-svid-answer.ts';
import { logX509Svid } from './log-issued.ts';

export type BatchNewX509SvidDeps = {
  readonly entries: Pick<EntryRegistry, 'authorizedEntry'>;
  readonly issuer: Pick<Issuer, 'workloadX509Svid'>;
};

/**
 * Enough to keep every thread of libuv's pool busy with signatures, and few enough that the parsing between them
 * leaves the event loop free for others: a whole batch at once would hold it for many milliseconds.
 */
const AT_ONCE = 32;

type Result = MessageInitShape<typeof BatchNewX509SVIDResponse_ResultSchema>;

export async function batchNewX509Svid(
  { entries, issuer }: BatchNewX509SvidDeps,
  { params }: Pick<BatchNewX509SVIDRequest, 'params'>,
  call: Pick<Call, 'caller' | 'rateLimit' | 'auditItems' | 'log'>,
): Promise<{ results: Result[] }> {
  if (params.length === 0) throw new Fault('invalid', 'missing parameters');
  await call
    .rateLimit(params.length)
    .catch(rethrow('rejecting request due to certificate signing rate limiting', { kind: 'keep' }));
  const agent = callingAgent(call);

  const issue = async (
    { entryId, csr: der }: NewX509SVIDParams,
    item: BatchItem,
  ): Promise<Result> => {
    item.audit({ csr: sha256Hex(der), entry_id: entryId, spiffe_id: '' });
    if (entryId === '') throw new Fault('invalid', 'missing entry ID');
    if (der.length === 0) throw new Fault('invalid', 'missing CSR');
    const entry = entries.authorizedEntry(agent, entryId);
    if (entry === undefined) throw notFound('entry not found or not authorized');
    const csr = prefixed('malformed CSR', () => parseCsr(der));
    await verifyCsr(csr).catch(rethrow('invalid CSR signature', { kind: 'invalid' }));

    const { spiffeId: id, dnsNames, x509SvidTtlSeconds: ttlSeconds, revisionNumber } = entry;
    const svid = await issuer
      .workloadX509Svid({ id, publicKey: csr.publicKey, dnsNames, ttlSeconds })
      .catch(rethrow('failed to sign X509-SVID'));
    item.audit({ spiffe_id: id.toString(), expires_at: svid.notAfter });
    const about = () => ({ entry_id: entryId, revision_number: revisionNumber });
    logX509Svid(call.log, { id, svid, about });
    return { status: okStatus, svid: x509SvidToProto(id, svid) };
  };
  const refused = (_: NewX509SVIDParams, status: Result['status']): Result => ({ status });
  return { results: await answerEach(call, params, { act: issue, refused, atOnce: AT_ONCE }) };
}
