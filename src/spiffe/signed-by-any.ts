import { type Certificate, parseCertificates } from '../crypto/x509/certificate.ts';
import { verifyChain } from '../crypto/x509/verify-chain.ts';

/** Whether one of these authorities stands at the root of an SVID (concatenated DER). */
export async function isSignedByAny(
  authorities: readonly Certificate[],
  chain: Uint8Array,
  atUnixSeconds: number,
): Promise<boolean> {
  const [leaf, ...intermediates] = parseCertificates(chain);
  if (leaf === undefined) return false;
  try {
    await verifyChain({ leaf, intermediates, roots: authorities, at: atUnixSeconds });
    return true;
  } catch {
    return false; // verifyChain throws for nothing but this
  }
}

/** How X.509 authorities are named: in lower-case hex; empty where a certificate has no such extension. */
export const subjectKeyIdText = ({ subjectKeyId }: Pick<Certificate, 'subjectKeyId'>): string =>
  Buffer.from(subjectKeyId ?? []).toString('hex');
