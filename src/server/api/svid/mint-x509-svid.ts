import { Fault } from '../../../base/fault.ts';
import { type CertificateRequest, parseCsr, verifyCsr } from '../../../crypto/csr.ts';
import type { Answer } from '../../../rpc/service.ts';
import { checkDnsName, checkWildcardOverlap } from '../../../spiffe/dns-name.ts';
import { checkWorkloadId } from '../../../spiffe/id-rules.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  MintX509SVIDRequest,
  MintX509SVIDResponseSchema,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { Issuer } from '../../ca/contract.ts';
import { commaList, logSubject, rfc3339, sha256Hex } from '../audit-values.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { x509SvidToProto } from '../x509-svid-answer.ts';
import { logX509Svid } from './log-issued.ts';

export type MintX509SvidDeps = {
  readonly issuer: Pick<Issuer, 'workloadX509Svid'>;
  readonly trustDomain: TrustDomain;
};

/** An operator gets an SVID for any workload, without an entry: all of it comes from the CSR. */
export async function mintX509Svid(
  { issuer, trustDomain }: MintX509SvidDeps,
  { csr: der, ttl }: Pick<MintX509SVIDRequest, 'csr' | 'ttl'>,
  call: Pick<Call, 'audit' | 'log'>,
): Promise<Answer<typeof MintX509SVIDResponseSchema>> {
  call.audit({ csr: sha256Hex(der), ttl });
  if (der.length === 0) throw new Fault('invalid', 'missing CSR');
  const csr = prefixed('malformed CSR', () => parseCsr(der));
  await verifyCsr(csr).catch(rethrow('failed to verify CSR signature', { kind: 'invalid' }));
  const id = idOf(csr, trustDomain);
  checkDnsNames(csr.dnsNames);

  const svid = await issuer
    .workloadX509Svid({
      id,
      publicKey: csr.publicKey,
      dnsNames: csr.dnsNames,
      ttlSeconds: ttl,
      subject: csr.subject,
    })
    .catch(rethrow('failed to sign X509-SVID'));
  const asked = { dns_name: commaList(csr.dnsNames), subject: logSubject(csr.subject) };
  call.audit({ spiffe_id: id.toString(), ...asked, expires_at: rfc3339(svid.notAfter) });
  logX509Svid(call.log, { id, svid, about: () => asked });
  return { svid: x509SvidToProto(id, svid) };
}

function idOf({ uris }: CertificateRequest, trustDomain: TrustDomain): SpiffeId {
  const [uri] = uris;
  if (uri === undefined) throw new Fault('invalid', 'CSR URI SAN is required');
  if (uris.length > 1) throw new Fault('invalid', 'only one URI SAN is expected');
  return prefixed('CSR URI SAN is invalid', () => {
    const id = SpiffeId.parse(uri);
    checkWorkloadId(id, trustDomain);
    return id;
  });
}

function checkDnsNames(names: readonly string[]): void {
  for (const name of names) prefixed('CSR DNS name is invalid', () => checkDnsName(name));
  prefixed('CSR DNS name contains a wildcard that covers another non-wildcard name', () => {
    checkWildcardOverlap(names);
  });
}
