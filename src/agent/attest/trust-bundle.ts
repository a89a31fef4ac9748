import { Fault } from '../../base/fault.ts';
import { readPem } from '../../crypto/pem.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import { readBundleDocument } from '../../spiffe/bundle-document.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { prefixed } from '../../wire/prefixed.ts';

export type TrustBundleFormat = 'pem' | 'spiffe';

/** The X.509 authorities to start with (`reference/agent.md` §2.3). Throws 'invalid'. */
export function parseTrustBundle(
  trustDomain: TrustDomain,
  format: TrustBundleFormat,
  content: Uint8Array,
): Bundle {
  const authorities = parsers[format](content, trustDomain);
  if (authorities.length === 0) throw new Fault('invalid', 'no certificates found in trust bundle');
  return bundleOfCertificates(trustDomain, authorities);
}

/** A bundle of nothing but these X.509 authorities (DER). */
export const bundleOfCertificates = (
  trustDomain: TrustDomain,
  certificates: readonly Uint8Array[],
): Bundle => ({
  ...emptyBundle(trustDomain),
  x509Authorities: certificates.map((der) => ({ der, tainted: false })),
});

const parsers: Record<
  TrustBundleFormat,
  (content: Uint8Array, trustDomain: TrustDomain) => readonly Uint8Array[]
> = {
  pem: certificatesFromPem,
  spiffe: (content, trustDomain) =>
    prefixed('unable to parse SPIFFE trust bundle', () =>
      readBundleDocument(trustDomain, content).x509Authorities.map(({ der }) => der),
    ),
};

function certificatesFromPem(content: Uint8Array): Uint8Array[] {
  const blocks = readPem(content);
  if (blocks.length === 0) throw new Fault('invalid', 'no PEM blocks');
  return blocks.map(({ type, der }, index) => {
    if (type !== 'CERTIFICATE') {
      throw new Fault('invalid', `expected block type "CERTIFICATE"; got "${type}"`);
    }
    prefixed(`unable to parse "CERTIFICATE" PEM block ${index + 1}`, () => parseCertificate(der));
    return der;
  });
}
