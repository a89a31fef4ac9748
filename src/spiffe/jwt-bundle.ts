import { Fault, reasonOf } from '../base/fault.ts';
import type { KeyAuthority } from './bundle.ts';
import { parseJwkDocument, readJwkSet } from './jwk-set.ts';

/**
 * The JWT authorities of a plain JWK set, as the Workload API sends them: `use` is not looked at, a key of an unknown
 * type is skipped. Throws 'invalid' with the reference client's words.
 */
export function readJwtBundle(json: string | Uint8Array): readonly KeyAuthority[] {
  const found = new Map<string, KeyAuthority>();
  for (const [index, { keyId, publicKey }] of readKeys(json).entries()) {
    if (keyId === '') {
      throw new Fault(
        'invalid',
        `jwtbundle: error adding authority ${index} of JWKS: keyID cannot be empty`,
      );
    }
    if (publicKey !== undefined) {
      found.set(keyId, { publicKey, keyId, expiresAt: 0, tainted: false });
    }
  }
  return [...found.values()];
}

function readKeys(json: string | Uint8Array) {
  try {
    return readJwkSet(parseJwkDocument(json), { skipsUnknown: true }).keys ?? [];
  } catch (error) {
    throw new Fault('invalid', `jwtbundle: unable to parse JWKS: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
