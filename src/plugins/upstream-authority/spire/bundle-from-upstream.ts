import { parseCertificates } from '../../../crypto/x509/certificate.ts';
import type { KeyAuthority, X509Authority } from '../../../spiffe/bundle.ts';
import { jwtAuthorityFromProto } from '../../../wire/bundle.ts';
import type { Bundle, JWTKey } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { LocalBundle } from '../contract.ts';

/** What the server above says of the trust domain's bundle, taints included. Throws 'internal' with SPIRE's words. */
export const localBundleFromProto = ({ x509Authorities, jwtAuthorities }: Bundle): LocalBundle => ({
  x509Authorities: prefixed(
    'failed to parse X.509 authorities',
    () => x509Authorities.flatMap(x509AuthoritiesFromProto),
    'internal',
  ),
  jwtKeys: jwtKeysFromProto(jwtAuthorities),
});

export const jwtKeysFromProto = (protos: readonly JWTKey[]): readonly KeyAuthority[] =>
  protos.map((proto) =>
    prefixed(
      'unable to parse JWTKey into api JWTKey',
      () => ({ ...jwtAuthorityFromProto(proto), tainted: proto.tainted }),
      'internal',
    ),
  );

/** One record may hold several certificates, as SPIRE stores them. */
const x509AuthoritiesFromProto = ({
  asn1,
  tainted,
}: Bundle['x509Authorities'][number]): X509Authority[] =>
  parseCertificates(asn1).map(({ der }) => ({ der, tainted }));
