import { Fault, reasonOf } from '../../../base/fault.ts';
import { readFileBounded } from '../../../base/files.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import { readPem } from '../../../crypto/pem.ts';
import { type Certificate, parseCertificate } from '../../../crypto/x509/certificate.ts';

/** A bundle of all public roots has 200 kB. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The certificates of a PEM file; other blocks are skipped (`reference/node-attestation.md` §3.1). Throws 'invalid'. */
export async function readCertificates(path: string): Promise<readonly Certificate[]> {
  const file = await readFileBounded(path, MAX_FILE_BYTES).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });
  const blocks = readPem(file);
  const certificates = blocks.flatMap(({ type, der }, index) =>
    type === 'CERTIFICATE' ? [parseBlock(der, index)] : [],
  );
  if (certificates.length === 0) throw new Fault('invalid', 'no certificates found in file');
  return certificates;
}

function parseBlock(der: Uint8Array, index: number): Certificate {
  try {
    return parseCertificate(der);
  } catch (error) {
    throw new Fault(
      'invalid',
      `unable to parse certificate in block ${index}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}
