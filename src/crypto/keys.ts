import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { type PrivateKey, readPrivateKey } from './private-key.ts';
import type { PublicKey } from './signer.ts';

export { type PrivateKey, readPrivateKey, readPrivateKeyPem } from './private-key.ts';
export { readPublicKey, subjectKeyId } from './public-key.ts';
export { verifyPss, verifySignature } from './signature.ts';

const generate = promisify(generateKeyPair);
const pkcs8 = { format: 'der', type: 'pkcs8' } as const;
const spki = { format: 'der', type: 'spki' } as const;

const ecKey = async (namedCurve: string): Promise<Uint8Array> =>
  (await generate('ec', { namedCurve, privateKeyEncoding: pkcs8, publicKeyEncoding: spki }))
    .privateKey;

const rsaKey = async (modulusLength: number): Promise<Uint8Array> =>
  (await generate('rsa', { modulusLength, privateKeyEncoding: pkcs8, publicKeyEncoding: spki }))
    .privateKey;

/** The keys that we make, and that configurations name. */
export const keyTypes = {
  'ec-p256': { kind: 'ec-p256', bits: 256, generate: () => ecKey('P-256') },
  'ec-p384': { kind: 'ec-p384', bits: 384, generate: () => ecKey('P-384') },
  'rsa-2048': { kind: 'rsa', bits: 2048, generate: () => rsaKey(2048) },
  'rsa-4096': { kind: 'rsa', bits: 4096, generate: () => rsaKey(4096) },
} satisfies Record<string, KeyTypeRow>;
export type KeyType = keyof typeof keyTypes;

type KeyTypeRow = Pick<PublicKey, 'kind' | 'bits'> & { generate(): Promise<Uint8Array> };

/** A new key pair, made on libuv's threads. */
export const generateKey = async (type: KeyType): Promise<PrivateKey> =>
  readPrivateKey(await keyTypes[type].generate());

/** The type of a key that we could have made, or undefined. */
export function keyTypeOf(key: Pick<PublicKey, 'kind' | 'bits'>): KeyType | undefined {
  const types = Object.keys(keyTypes) as KeyType[];
  return types.find((type) => keyTypes[type].kind === key.kind && keyTypes[type].bits === key.bits);
}
