import { join } from 'node:path';
import { writePem } from '../../../crypto/pem.ts';
import type { Certificate } from '../../../crypto/x509/certificate.ts';
import { fileModes, writeOutput } from '../../kit/files.ts';
import type { Out } from '../../kit/out.ts';
import type { X509Update } from './x509-update.ts';

/** Writes each SVID, its key and its bundles into a folder, which must exist; says so before each file. */
export async function writeX509Files(out: Out, folder: string, update: X509Update): Promise<void> {
  const write = async (
    what: string,
    name: string,
    content: string,
    mode: (typeof fileModes)[keyof typeof fileModes],
  ): Promise<void> => {
    const path = join(folder, name);
    out.write(`Writing ${what} to file ${path}.\n`);
    await writeOutput(path, content, mode);
  };
  for (const [i, { chain, privateKey, bundle }] of update.svids.entries()) {
    const key = writePem('PRIVATE KEY', privateKey);
    await write(`SVID #${i}`, `svid.${i}.pem`, pems(chain), fileModes.public);
    await write(`key #${i}`, `svid.${i}.key`, key, fileModes.private);
    await write(`bundle #${i}`, `bundle.${i}.pem`, pems(bundle), fileModes.public);
    for (const [j, [domain, roots]] of [...update.federated].entries()) {
      const what = `federated bundle #${j} for trust domain ${domain}`;
      await write(what, `federated_bundle.${i}.${j}.pem`, pems(roots), fileModes.public);
    }
  }
}

const pems = (certificates: readonly Certificate[]): string =>
  certificates.map(({ der }) => writePem('CERTIFICATE', der)).join('');
