import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import type { Bundle, KeyAuthority, X509Authority } from '../../spiffe/bundle.ts';

export type PrunedBundle = {
  /** undefined: nothing had expired. */
  readonly bundle: Bundle | undefined;
  readonly certificates: readonly Certificate[];
  readonly jwtKeys: readonly KeyAuthority[];
  readonly witKeys: readonly KeyAuthority[];
};

/**
 * The bundle without what expired at or before that moment (`reference/server.md` §6.3). Throws
 * 'failed-precondition' rather than leave a trust domain without X.509 authorities or a list of keys empty.
 */
export function pruneBundle(bundle: Bundle, atUnixSeconds: number): PrunedBundle {
  const certificates: Certificate[] = [];
  const x509Authorities = bundle.x509Authorities.filter((authority) => {
    const expired = expiredCertificate(authority, atUnixSeconds);
    if (expired) certificates.push(expired);
    return expired === undefined;
  });
  if (x509Authorities.length === 0) throw wouldPruneAll('certificates');
  const [jwtAuthorities, jwtKeys] = splitKeys(bundle.jwtAuthorities, atUnixSeconds);
  if (jwtKeys.length > 0 && jwtAuthorities.length === 0) throw wouldPruneAll('JWT signing keys');
  const [witAuthorities, witKeys] = splitKeys(bundle.witAuthorities, atUnixSeconds);
  if (witKeys.length > 0 && witAuthorities.length === 0) throw wouldPruneAll('WIT signing keys');
  const changed = certificates.length + jwtKeys.length + witKeys.length > 0;
  return {
    bundle: changed
      ? {
          ...bundle,
          x509Authorities,
          jwtAuthorities,
          witAuthorities,
          refreshHintSeconds: 0,
          sequenceNumber: bundle.sequenceNumber + 1n,
        }
      : undefined,
    certificates,
    jwtKeys,
    witKeys,
  };
}

/** A record that holds several certificates goes when one of them has expired. */
const expiredCertificate = (
  { der }: X509Authority,
  atUnixSeconds: number,
): Certificate | undefined =>
  parseCertificates(der).find(({ notAfter }) => notAfter <= atUnixSeconds);

/** Those that stay and those that go; a key without a time (0) counts as expired. */
function splitKeys(
  keys: readonly KeyAuthority[],
  atUnixSeconds: number,
): [kept: KeyAuthority[], expired: KeyAuthority[]] {
  const kept: KeyAuthority[] = [];
  const expired: KeyAuthority[] = [];
  for (const key of keys) (key.expiresAt <= atUnixSeconds ? expired : kept).push(key);
  return [kept, expired];
}

const wouldPruneAll = (what: string): Fault =>
  new Fault('failed-precondition', `prune failed: would prune all ${what}`);
