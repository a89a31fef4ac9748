import { writePem } from '../../crypto/pem.ts';
import type { SvidToStore } from './contract.ts';

/** What a secret holds; members that are empty are left out. */
export type SecretPayload = {
  readonly spiffeID?: string;
  /** PEM, leaf first. */
  readonly x509SVID?: string;
  /** PEM, PKCS#8. */
  readonly x509SVIDKey?: string;
  /** PEM. */
  readonly bundle?: string;
  /** PEM, by trust domain ID. */
  readonly federatedBundles?: Readonly<Record<string, string>>;
};

/**
 * The form that SPIRE's stores give to an SVID (`reference/authorities-and-publishers.md` §E1). SPIRE fails for a
 * federated bundle of several authorities; here each is a block.
 */
export function secretPayload(svid: SvidToStore): SecretPayload {
  const federatedBundles = Object.fromEntries(
    [...svid.federatedBundles]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, authorities]) => [id, certificates(authorities)]),
  );
  return {
    ...(svid.spiffeId !== '' && { spiffeID: svid.spiffeId }),
    ...(svid.chain.length > 0 && { x509SVID: certificates(svid.chain) }),
    ...(svid.privateKey.length > 0 && { x509SVIDKey: writePem('PRIVATE KEY', svid.privateKey) }),
    ...(svid.bundle.length > 0 && { bundle: certificates(svid.bundle) }),
    ...(svid.federatedBundles.size > 0 && { federatedBundles }),
  };
}

const certificates = (ders: readonly Uint8Array[]): string =>
  ders.map((der) => writePem('CERTIFICATE', der)).join('');
