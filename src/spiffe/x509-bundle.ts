import { Fault, reasonOf } from '../base/fault.ts';
import { readPem } from '../crypto/pem.ts';
import { parseCertificates } from '../crypto/x509/certificate.ts';
import type { X509Authority } from './bundle.ts';

/** The X.509 authorities of a PEM text, each once; no text is no authorities. Throws 'invalid'. */
export function readX509Bundle(pem: string | Uint8Array): readonly X509Authority[] {
  if (pem.length === 0) return [];
  const found = new Map<string, X509Authority>();
  for (const der of certificateBlocks(pem)) {
    found.set(Buffer.from(der).toString('base64'), { der, tainted: false });
  }
  return [...found.values()];
}

function certificateBlocks(pem: string | Uint8Array): readonly Uint8Array[] {
  try {
    const blocks = readPem(pem);
    if (blocks.length === 0) throw new Fault('invalid', 'no PEM blocks found');
    const certificates = blocks.flatMap(({ type, der }) => (type === 'CERTIFICATE' ? [der] : []));
    certificates.forEach(parseCertificates);
    return certificates;
  } catch (error) {
    throw new Fault('invalid', `x509bundle: cannot parse certificate: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
