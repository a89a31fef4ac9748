import {
  type Certificate,
  parseCertificate,
  parseCertificates,
} from '../../../crypto/x509/certificate.ts';
import {
  type Bundle,
  emptyBundle,
  type KeyAuthority,
  type X509Authority,
} from '../../../spiffe/bundle.ts';
import { subjectKeyIdText } from '../../../spiffe/signed-by-any.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { appendAuthorities } from '../append-authorities.ts';

/** What an upstream authority says; a list that it said nothing of is absent. */
export type UpstreamNews = {
  readonly roots?: readonly X509Authority[];
  readonly jwtKeys?: readonly KeyAuthority[];
};

export type SyncedBundle = {
  /** undefined: nothing is to be changed. */
  readonly bundle: Bundle | undefined;
  /** Stored without taint, and tainted upstream: CAs below them must go before they are tainted here too. */
  readonly tainted: readonly Certificate[];
  /** Subject key IDs, in lower-case hex, of those that went: tainted, and no longer known upstream. */
  readonly revoked: readonly string[];
  /** The same of JWT keys. */
  readonly revokedKeyIds: readonly string[];
};

/**
 * The trust domain's bundle after news from upstream (`reference/server.md` §6.3, §6.4): what is new is appended,
 * what is tainted and no longer known upstream goes, everything else stays until it expires. A taint that is stored is
 * never undone.
 */
export function syncBundle(
  stored: Bundle | undefined,
  trustDomain: TrustDomain,
  { roots, jwtKeys }: UpstreamNews,
): SyncedBundle {
  const bundle = stored ?? emptyBundle(trustDomain);
  const x509 = roots && syncRoots(bundle.x509Authorities, roots);
  const jwt = jwtKeys && syncJwtKeys(bundle.jwtAuthorities, jwtKeys);
  const kept = {
    ...bundle,
    ...(x509 && { x509Authorities: x509.kept }),
    ...(jwt && { jwtAuthorities: jwt.kept }),
  };
  const appended = appendAuthorities(stored && kept, trustDomain, {
    x509Authorities: x509?.added ?? [],
    jwtAuthorities: jwt?.added ?? [],
  });
  const hasLost = (x509?.revoked.length ?? 0) > 0 || jwt?.changed === true;
  const changed = hasLost ? { ...kept, sequenceNumber: bundle.sequenceNumber + 1n } : undefined;
  return {
    bundle: appended ?? changed,
    tainted: x509?.tainted ?? [],
    revoked: x509?.revoked ?? [],
    revokedKeyIds: jwt?.revoked ?? [],
  };
}

function syncRoots(stored: readonly X509Authority[], reported: readonly X509Authority[]) {
  const known = new Set(reported.flatMap(({ der }) => parseCertificates(der).map(nameOf)));
  const isRevoked = ({ der, tainted }: X509Authority) =>
    tainted && !parseCertificates(der).some((certificate) => known.has(nameOf(certificate)));
  const kept = stored.filter((authority) => !isRevoked(authority));
  const held = new Map(
    kept.flatMap(({ der, tainted }) =>
      parseCertificates(der).map((certificate) => [nameOf(certificate), tainted] as const),
    ),
  );
  const isStored = ({ der }: X509Authority) => kept.some((one) => sameBytes(one.der, der));
  return {
    kept,
    added: reported
      .filter((authority) => !isStored(authority))
      // Of a key that is tainted here no certificate is trusted.
      .map(({ der, tainted }) => ({
        der,
        tainted: tainted || held.get(nameOf(parseCertificate(der))) === true,
      })),
    tainted: reported
      .filter(({ tainted }) => tainted)
      .map(({ der }) => parseCertificate(der))
      .filter((certificate) => held.get(nameOf(certificate)) === false),
    revoked: stored
      .filter(isRevoked)
      .flatMap(({ der }) => parseCertificates(der).map(subjectKeyIdText)),
  };
}

/** A key's taint is known as soon as it is known upstream: nothing has to be prepared before. */
function syncJwtKeys(stored: readonly KeyAuthority[], reported: readonly KeyAuthority[]) {
  const upstream = new Map(reported.map((key) => [key.keyId, key]));
  const isRevoked = ({ keyId, tainted }: KeyAuthority) => tainted && !upstream.has(keyId);
  const isNewlyTainted = (key: KeyAuthority) => {
    const same = upstream.get(key.keyId);
    return !key.tainted && same?.tainted === true && sameBytes(same.publicKey, key.publicKey);
  };
  const kept = stored
    .filter((key) => !isRevoked(key))
    .map((key) => (isNewlyTainted(key) ? { ...key, tainted: true } : key));
  const isStored = (key: KeyAuthority) =>
    kept.some(
      (one) =>
        one.keyId === key.keyId &&
        one.expiresAt === key.expiresAt &&
        sameBytes(one.publicKey, key.publicKey),
    );
  return {
    kept,
    added: reported.filter((key) => !isStored(key)),
    changed: stored.some((key) => isRevoked(key) || isNewlyTainted(key)),
    revoked: stored.filter(isRevoked).map(({ keyId }) => keyId),
  };
}

/** The bundle with a taint on all certificates of those keys; undefined if they have it. */
export function taintRoots(
  stored: Bundle | undefined,
  roots: readonly Certificate[],
): Bundle | undefined {
  const names = new Set(roots.map(nameOf));
  const isMeant = ({ der, tainted }: X509Authority) =>
    !tainted && parseCertificates(der).some((certificate) => names.has(nameOf(certificate)));
  if (stored?.x509Authorities.some(isMeant) !== true) return undefined;
  return {
    ...stored,
    x509Authorities: stored.x509Authorities.map((authority) =>
      isMeant(authority) ? { ...authority, tainted: true } : authority,
    ),
    sequenceNumber: stored.sequenceNumber + 1n,
  };
}

/** What roots are known by: the subject key ID, or the whole certificate where it has none. */
export const nameOf = (certificate: Certificate): string =>
  subjectKeyIdText(certificate) || Buffer.from(certificate.der).toString('base64');

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0;
