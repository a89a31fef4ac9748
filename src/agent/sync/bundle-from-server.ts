import { Fault } from '../../base/fault.ts';
import { readSpki } from '../../crypto/spki.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import type { Bundle, KeyAuthority, X509Authority } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type {
  JWTKey,
  Bundle as ProtoBundle,
  WITKey,
  X509Certificate,
} from '../../wire/gen/spire/api/types/bundle_pb.ts';
import { safeNumber } from '../../wire/int64.ts';
import { prefixed } from '../../wire/prefixed.ts';

/** Why this is no bundle at all, so that an agent goes on without it; undefined if it is one. */
export function malformation(proto: ProtoBundle): string | undefined {
  try {
    TrustDomain.parse(proto.trustDomain);
  } catch (error) {
    return `invalid trust domain: ${(error as Error).message}`;
  }
  const isUnnamed = proto.jwtAuthorities.some(({ keyId }) => keyId === '');
  return isUnnamed ? 'missing key ID' : undefined;
}

/**
 * The server's word on a bundle, taints included. JWT and WIT keys of kinds that no SVID is signed with are left out:
 * `passOver` is told their IDs, since a foreign trust domain that has one must not keep the agent from synchronising. Holds copies, so that the message it came in can go. Throws 'invalid'.
 */
export function bundleFromServer(
  proto: ProtoBundle,
  passOver: (keyId: string) => void = () => {},
): Bundle {
  const malformed = malformation(proto);
  if (malformed !== undefined) throw new Fault('invalid', malformed);
  return {
    trustDomain: TrustDomain.parse(proto.trustDomain),
    x509Authorities: proto.x509Authorities.flatMap((authority, index) =>
      prefixed(`unable to parse root CA ${index}`, () => x509Authorities(authority)),
    ),
    jwtAuthorities: proto.jwtAuthorities.flatMap((authority, index) =>
      prefixed(`unable to parse JWT signing key ${index}`, () => jwtAuthority(authority, passOver)),
    ),
    witAuthorities: proto.witAuthorities.flatMap((authority) => witAuthority(authority, passOver)),
    refreshHintSeconds: safeNumber('refresh_hint', proto.refreshHint),
    sequenceNumber: proto.sequenceNumber,
  };
}

const x509Authorities = ({ asn1, tainted }: X509Certificate): X509Authority[] =>
  parseCertificates(asn1).map(({ der }) => ({ der: Uint8Array.from(der), tainted }));

/** Nobody but who asks for WIT bundles relies on these, so that a broken one spoils nothing else. */
function witAuthority(authority: WITKey, passOver: (keyId: string) => void): KeyAuthority[] {
  try {
    if (authority.keyId !== '') return jwtAuthority(authority, passOver);
  } catch {
    // Told as one that is not understood.
  }
  passOver(authority.keyId);
  return [];
}

function jwtAuthority(
  { publicKey, keyId, expiresAt, tainted }: JWTKey | WITKey,
  passOver: (keyId: string) => void,
): KeyAuthority[] {
  if (readSpki(publicKey) === undefined) {
    passOver(keyId);
    return [];
  }
  return [
    {
      publicKey: Uint8Array.from(publicKey),
      keyId,
      expiresAt: safeNumber('expires_at', expiresAt),
      tainted,
    },
  ];
}
