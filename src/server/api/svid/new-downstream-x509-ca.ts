import { Fault } from '../../../base/fault.ts';
import { parseCsr, verifyCsr } from '../../../crypto/csr.ts';
import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type {
  NewDownstreamX509CARequest,
  NewDownstreamX509CAResponseSchema,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { Issuer } from '../../ca/contract.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import { rfc3339, sha256Hex } from '../audit-values.ts';
import type { Call } from '../call.ts';
import { notFound, rethrow } from '../refusal.ts';

export type NewDownstreamX509CaDeps = {
  readonly issuer: Pick<Issuer, 'downstreamX509Ca'>;
  readonly bundles: Pick<BundleRegistry, 'get'>;
  readonly trustDomain: TrustDomain;
};

/** Signs the CA of a server below this one. Only the key is taken from the request. */
export async function newDownstreamX509Ca(
  { issuer, bundles, trustDomain }: NewDownstreamX509CaDeps,
  { csr: der, preferredTtl: ttlSeconds }: Pick<NewDownstreamX509CARequest, 'csr' | 'preferredTtl'>,
  call: Pick<Call, 'caller' | 'rateLimit' | 'audit' | 'log'>,
): Promise<Answer<typeof NewDownstreamX509CAResponseSchema>> {
  call.audit({ csr: sha256Hex(der), trust_domain_id: trustDomain.idString });
  await call
    .rateLimit(1)
    .catch(rethrow('rejecting request due to downstream CA signing rate limit', { kind: 'keep' }));
  if (call.caller.kind !== 'downstream') {
    throw new Fault('internal', 'caller is not a downstream workload');
  }
  const { publicKey } = await requestOf(der);

  const ca = await issuer
    .downstreamX509Ca({ publicKey, ttlSeconds })
    .catch(rethrow('failed to sign downstream X.509 CA'));
  call.log.debug('Signed X509 CA SVID', {
    spiffe_id: trustDomain.idString,
    expiration: rfc3339(ca.notAfter),
  });
  const bundle = bundles.get(trustDomain);
  if (bundle === undefined) throw notFound('bundle not found');
  call.audit({ expires_at: ca.notAfter });
  return {
    caCertChain: [...ca.chain],
    x509Authorities: bundle.x509Authorities.map((authority) => authority.der),
  };
}

async function requestOf(der: Uint8Array) {
  const csr = prefixed('malformed CSR', () => parseCsr(der));
  await verifyCsr(csr).catch(rethrow('invalid CSR signature', { kind: 'invalid' }));
  return csr;
}
