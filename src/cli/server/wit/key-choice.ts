import { Fault } from '../../../base/fault.ts';
import type { KeyType } from '../../../crypto/keys.ts';

type Family = {
  readonly keyTypes: readonly KeyType[];
  readonly refusal: (algorithm: string) => string;
};

const rsa: Family = {
  keyTypes: ['rsa-2048', 'rsa-4096'],
  refusal: (algorithm) => `for signing algorithm '${algorithm}'`,
};
const ec = (keyType: KeyType): Family => ({
  keyTypes: [keyType],
  refusal: (algorithm) => `for '${algorithm}' signing algorithm`,
});

/** The keys that can sign with an algorithm (`reference/cli.md` §4.12). */
const algorithms: ReadonlyMap<string, Family> = new Map([
  ['RS256', rsa],
  ['RS384', rsa],
  ['RS512', rsa],
  ['PS256', rsa],
  ['PS384', rsa],
  ['PS512', rsa],
  ['ES256', ec('ec-p256')],
  ['ES384', ec('ec-p384')],
]);

/** The key type of that name, if it goes with the algorithm. Throws 'invalid' if either is unknown, too. */
export function keyTypeFor(name: string, algorithm: string): KeyType {
  const family = algorithms.get(algorithm);
  if (family === undefined) {
    throw new Fault('invalid', `unsupported signing algorithm: ${algorithm}`);
  }
  const keyType = family.keyTypes.find((one) => one === name);
  if (keyType !== undefined) return keyType;
  throw new Fault('invalid', `unsupported key type '${name}' ${family.refusal(algorithm)}`);
}
