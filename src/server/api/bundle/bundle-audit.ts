import type { LogFields } from '../../../ops/log.ts';
import type { Bundle, BundleMask } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { sha256Hex } from '../audit-values.ts';

type JwtKey = Pick<Bundle['jwtAuthorities'][number], 'keyId' | 'expiresAt' | 'publicKey'>;

/** The request's values; of an update only those that the mask names (`reference/server.md` §14.5). */
export const bundleAuditFields = (bundle: Bundle, mask?: BundleMask): LogFields => ({
  trust_domain_id: bundle.trustDomain,
  ...((!mask || mask.refreshHint) && { refresh_hint: bundle.refreshHint }),
  ...((!mask || mask.sequenceNumber) && { sequence_number: bundle.sequenceNumber }),
  ...((!mask || mask.x509Authorities) && x509AuditFields(bundle.x509Authorities)),
  ...((!mask || mask.jwtAuthorities) && jwtAuditFields(bundle.jwtAuthorities)),
});

/** Fields numbered by the authority's place in the request. */
export const x509AuditFields = (authorities: readonly { asn1: Uint8Array }[]): LogFields =>
  Object.fromEntries(
    authorities.map(({ asn1 }, index) => [
      `x509_authorities_asn1_sha256.${index}`,
      sha256Hex(asn1),
    ]),
  );

export const jwtAuditFields = (authorities: readonly JwtKey[]): LogFields =>
  Object.assign(
    {},
    ...authorities.map((authority, index) => jwtAuthorityAuditFields(authority, `.${index}`)),
  ) as LogFields;

export const jwtAuthorityAuditFields = (
  { keyId, expiresAt, publicKey }: JwtKey,
  suffix = '',
): LogFields => ({
  [`jwt_authority_expires_at${suffix}`]: expiresAt,
  [`jwt_authority_key_id${suffix}`]: keyId,
  [`jwt_authority_public_key_sha256${suffix}`]: sha256Hex(publicKey),
});
