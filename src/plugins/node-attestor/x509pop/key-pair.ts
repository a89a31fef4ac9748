import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Fault, reasonOf } from '../../../base/fault.ts';
import { readFileBounded } from '../../../base/files.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import type { Certificate } from '../../../crypto/x509/certificate.ts';
import { readCertificates } from './certificate-file.ts';

/** What an agent proves that it has: a chain, leaf first, and the leaf's key. */
export type KeyPair = {
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
};

export type KeyPairFiles = {
  readonly privateKeyPath: string;
  readonly certificatePath: string;
  /** Certificates that go after those of `certificatePath`; '' for none. */
  readonly intermediatesPath: string;
};

/** A key of 16384 bits has 12 kB. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** Throws 'invalid' with the plugin's words (`reference/node-attestation.md` §4.1). */
export async function readKeyPair(files: KeyPairFiles): Promise<KeyPair> {
  const pair = await prefixed('unable to load keypair', async () => {
    const chain = await readCertificates(files.certificatePath);
    const privateKey = await readKey(files.privateKeyPath);
    checkMatch(chain[0], privateKey);
    return { chain, privateKey };
  });
  const intermediates = await prefixed('unable to load intermediate certificates', async () =>
    files.intermediatesPath === '' ? [] : readCertificates(files.intermediatesPath),
  );
  return {
    chain: [...pair.chain, ...intermediates].map(({ der }) => der),
    privateKey: pair.privateKey,
  };
}

/** PKCS#1, PKCS#8 or SEC 1. */
async function readKey(path: string): Promise<KeyObject> {
  const pem = await readFileBounded(path, MAX_KEY_FILE_BYTES).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });
  try {
    return createPrivateKey(Buffer.from(pem));
  } catch (error) {
    throw new Fault('invalid', `${path} holds no private key in PEM that we can read`, {
      cause: error,
    });
  }
}

function checkMatch(leaf: Certificate | undefined, privateKey: KeyObject): void {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  if (leaf === undefined || Buffer.compare(spki, leaf.spki) !== 0) {
    throw new Fault('invalid', 'private key does not match public key');
  }
}

async function prefixed<T>(prefix: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new Fault('invalid', `${prefix}: ${reasonOf(error)}`, { cause: error });
  }
}
