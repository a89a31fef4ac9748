import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import { readPublicKey } from '../crypto/keys.ts';
import { parseCertificates } from '../crypto/x509/certificate.ts';
import type { Bundle, KeyAuthority, X509Authority } from '../spiffe/bundle.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import type {
  BundleMask,
  BundleSchema,
  JWTKey,
  Bundle as ProtoBundle,
  X509Certificate,
} from './gen/spire/api/types/bundle_pb.ts';
import { safeNumber } from './int64.ts';
import { masked } from './masked.ts';
import { prefixed } from './prefixed.ts';

/**
 * What a caller may say of a bundle: taint flags and WIT keys are dropped (`reference/server.md` §14.5). The whole
 * bundle is checked, whatever the mask. Throws 'invalid' with SPIRE's words.
 */
export function bundleFromProto(proto: ProtoBundle | undefined): Bundle {
  if (proto === undefined) throw new Fault('invalid', 'no bundle provided');
  return {
    trustDomain: prefixed('invalid trust domain', () => TrustDomain.parse(proto.trustDomain)),
    x509Authorities: prefixed('unable to parse X.509 authority', () =>
      x509AuthoritiesFromProto(proto.x509Authorities),
    ),
    jwtAuthorities: prefixed('unable to parse JWT authority', () =>
      jwtAuthoritiesFromProto(proto.jwtAuthorities),
    ),
    witAuthorities: [],
    refreshHintSeconds: safeNumber('refresh_hint', proto.refreshHint),
    sequenceNumber: proto.sequenceNumber,
  };
}

/** Each may hold several certificates, or none. Throws 'invalid' at the first that is malformed. */
export const x509AuthoritiesFromProto = (
  protos: readonly Pick<X509Certificate, 'asn1'>[],
): readonly X509Authority[] =>
  protos.map(({ asn1 }) => {
    parseCertificates(asn1);
    return { der: asn1, tainted: false };
  });

/** Throws 'invalid': a key that cannot be parsed, and only then a missing key ID. */
export const jwtAuthoritiesFromProto = (
  protos: readonly Pick<JWTKey, 'publicKey' | 'keyId' | 'expiresAt'>[],
): readonly KeyAuthority[] => protos.map(jwtAuthorityFromProto);

export function jwtAuthorityFromProto({
  publicKey,
  keyId,
  expiresAt,
}: Pick<JWTKey, 'publicKey' | 'keyId' | 'expiresAt'>): KeyAuthority {
  readPublicKey(publicKey);
  if (keyId === '') throw new Fault('invalid', 'missing key ID');
  return { publicKey, keyId, expiresAt: safeNumber('expires_at', expiresAt), tainted: false };
}

/** All fields, or those of the mask; the trust domain's name always. */
export function bundleToProto(
  bundle: Bundle,
  mask?: BundleMask,
): MessageInitShape<typeof BundleSchema> {
  const full = {
    x509Authorities: bundle.x509Authorities.map(({ der, tainted }) => ({ asn1: der, tainted })),
    jwtAuthorities: bundle.jwtAuthorities.map(keyAuthorityToProto),
    witAuthorities: bundle.witAuthorities.map(keyAuthorityToProto),
    refreshHint: BigInt(bundle.refreshHintSeconds),
    sequenceNumber: bundle.sequenceNumber,
  };
  return { trustDomain: bundle.trustDomain.name, ...masked(full, mask) };
}

export const keyAuthorityToProto = ({ publicKey, keyId, expiresAt, tainted }: KeyAuthority) => ({
  publicKey,
  keyId,
  expiresAt: BigInt(expiresAt),
  tainted,
});
