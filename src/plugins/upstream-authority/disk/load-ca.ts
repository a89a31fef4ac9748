import { Fault, wrapFault } from '../../../base/fault.ts';
import { readFileBounded } from '../../../base/files.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { type PrivateKey, readPrivateKeyPem } from '../../../crypto/keys.ts';
import { readPem } from '../../../crypto/pem.ts';
import { extendedKeyUsages } from '../../../crypto/x509/build-certificate.ts';
import { type Certificate, parseCertificate } from '../../../crypto/x509/certificate.ts';
import { verifyChain } from '../../../crypto/x509/verify-chain.ts';
import type { LocalCa } from '../local-signer.ts';

export type DiskCaFiles = {
  readonly certificates: string;
  readonly key: string;
  /** undefined: the CA is its own root. */
  readonly bundle: string | undefined;
};

export type DiskCa = LocalCa & {
  /** DER: what is served above a CA that this one signed; without the root, unless it is in the file too. */
  readonly upstreamChain: readonly Uint8Array[];
  readonly roots: readonly Uint8Array[];
};

/** A chain of a few certificates, or a bundle of some hundred roots. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Reads and checks a CA (`reference/authorities-and-publishers.md` §A2). Throws 'invalid' with SPIRE's words. */
export async function loadDiskCa(files: DiskCaFiles, at: number): Promise<DiskCa> {
  const signer = await load('key', files.key, readOneKey);
  const [certificate, ...above] = await load('cert', files.certificates, readCertificates);
  const roots =
    files.bundle === undefined
      ? selfSigned(certificate, above)
      : await load('bundle', files.bundle, readCertificates);
  if (Buffer.compare(certificate.spki, signer.publicKey.spki) !== 0) {
    throw refusal('certificate and private key do not match');
  }
  await check(certificate, above, roots, at);
  return {
    certificate,
    signer,
    upstreamChain: files.bundle === undefined ? [] : [certificate, ...above].map(({ der }) => der),
    roots: roots.map(({ der }) => der),
  };
}

async function load<T>(
  what: 'key' | 'cert' | 'bundle',
  path: string,
  parse: (pem: Uint8Array) => T,
): Promise<T> {
  try {
    return parse(
      await readFileBounded(path, MAX_FILE_BYTES).catch((error: unknown) => {
        throw goFileError('open', path, error);
      }),
    );
  } catch (error) {
    throw wrapFault(`unable to load upstream CA ${what}`, error, 'invalid');
  }
}

const KEY_TYPES = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];

function readOneKey(pem: Uint8Array): PrivateKey {
  const [block, ...others] = blocksOf(pem);
  if (others.length > 0) {
    throw new Fault('invalid', `expected 1 PEM blocks; got ${others.length + 1}`);
  }
  if (!KEY_TYPES.includes(block.type)) {
    const expected = KEY_TYPES.map(goQuote).join(' ');
    throw new Fault('invalid', `expected block type [${expected}]; got ${goQuote(block.type)}`);
  }
  return readPrivateKeyPem(pem);
}

type AtLeastOne<T> = readonly [T, ...T[]];

function readCertificates(pem: Uint8Array): AtLeastOne<Certificate> {
  const [first, ...others] = blocksOf(pem).map(({ type, der }) => {
    if (type === 'CERTIFICATE') return parseCertificate(der);
    throw new Fault('invalid', `expected block type "CERTIFICATE"; got ${goQuote(type)}`);
  });
  if (first === undefined) throw new TypeError('there is a block');
  return [first, ...others];
}

function blocksOf(pem: Uint8Array) {
  const [first, ...others] = readPem(pem);
  if (first === undefined) throw new Fault('invalid', 'no PEM blocks');
  return [first, ...others] as const;
}

function selfSigned(
  certificate: Certificate,
  above: readonly Certificate[],
): readonly Certificate[] {
  if (above.length === 0) return [certificate];
  throw new Fault(
    'invalid',
    'with no bundle_file_path configured only self-signed CAs are supported',
  );
}

/** Go asks for a chain that may identify a server unless told otherwise. */
async function check(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  roots: readonly Certificate[],
  at: number,
): Promise<void> {
  const extendedKeyUsage = [extendedKeyUsages.serverAuth];
  try {
    await verifyChain({ leaf, intermediates, roots, at, extendedKeyUsage });
  } catch (error) {
    throw refusal(
      'certificate cannot be validated with the provided bundle or is not self-signed',
      error,
    );
  }
}

const refusal = (why: string, cause?: unknown): Fault =>
  new Fault('invalid', `unable to load upstream CA: ${why}`, { cause });
