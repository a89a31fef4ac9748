import { Fault } from '../../base/fault.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import type { Bundle, KeyAuthority, X509Authority } from '../../spiffe/bundle.ts';
import { subjectKeyIdText } from '../../spiffe/signed-by-any.ts';

/** What the datastore says of an authority that cannot be tainted or revoked (`reference/server.md` §6.4). */
export class TaintFault extends Fault {}

/** A change of the stored bundle. Throws a Fault in SPIRE's words and then changes nothing. */
export type BundleChange = (stored: Bundle | undefined) => Bundle;

/** Marks every X.509 authority of that subject key ID (lower-case hex). */
export const taintX509Authority =
  (subjectKeyId: string): BundleChange =>
  (stored) => {
    const bundle = required(stored);
    const isMeant = hasSubjectKeyId(subjectKeyId);
    const meant = bundle.x509Authorities.filter(isMeant);
    if (meant.some(({ tainted }) => tainted)) {
      throw new TaintFault('invalid', 'root CA is already tainted');
    }
    if (meant.length === 0) {
      throw new TaintFault('not-found', 'no ca found with provided subject key ID');
    }
    return grown(bundle, {
      x509Authorities: bundle.x509Authorities.map((authority) =>
        isMeant(authority) ? { ...authority, tainted: true } : authority,
      ),
    });
  };

/** Removes every X.509 authority of that subject key ID (lower-case hex). */
export const revokeX509Authority =
  (subjectKeyId: string): BundleChange =>
  (stored) => {
    const bundle = required(stored);
    const isMeant = hasSubjectKeyId(subjectKeyId);
    const meant = bundle.x509Authorities.filter(isMeant);
    if (meant.some(({ tainted }) => !tainted)) {
      throw new TaintFault('invalid', 'it is not possible to revoke an untainted root CA');
    }
    if (meant.length === 0) {
      throw new TaintFault('not-found', 'no root CA found with provided subject key ID');
    }
    return grown(bundle, {
      x509Authorities: bundle.x509Authorities.filter((authority) => !isMeant(authority)),
    });
  };

/** Marks the JWT authority of that key ID; all of them, where it was added more than once. */
export const taintJwtAuthority =
  (keyId: string): BundleChange =>
  (stored) => {
    const bundle = required(stored);
    const meant = jwtAuthorities(bundle, keyId);
    if (meant.every(({ tainted }) => tainted)) {
      throw new TaintFault('invalid', 'key is already tainted');
    }
    return grown(bundle, {
      jwtAuthorities: bundle.jwtAuthorities.map((key) =>
        key.keyId === keyId ? { ...key, tainted: true } : key,
      ),
    });
  };

/** Removes the JWT authority of that key ID; all of them, where it was added more than once. */
export const revokeJwtAuthority =
  (keyId: string): BundleChange =>
  (stored) => {
    const bundle = required(stored);
    if (jwtAuthorities(bundle, keyId).some(({ tainted }) => !tainted)) {
      throw new TaintFault('invalid', 'it is not possible to revoke an untainted key');
    }
    return grown(bundle, {
      jwtAuthorities: bundle.jwtAuthorities.filter((key) => key.keyId !== keyId),
    });
  };

function required(stored: Bundle | undefined): Bundle {
  if (stored !== undefined) return stored;
  throw new TaintFault('not-found', 'datastore-sql: record not found');
}

function jwtAuthorities(bundle: Bundle, keyId: string): readonly KeyAuthority[] {
  const found = bundle.jwtAuthorities.filter((key) => key.keyId === keyId);
  if (found.length > 0) return found;
  throw new TaintFault('not-found', 'no JWT Key found with provided key ID');
}

const grown = (bundle: Bundle, changes: Partial<Bundle>): Bundle => ({
  ...bundle,
  ...changes,
  sequenceNumber: bundle.sequenceNumber + 1n,
});

/** A record that holds several certificates is meant by any of them. */
const hasSubjectKeyId =
  (subjectKeyId: string) =>
  ({ der }: X509Authority): boolean =>
    parseCertificates(der).some((certificate) => subjectKeyIdText(certificate) === subjectKeyId);
