import { Fault } from '../base/fault.ts';
import { readPublicKeyIfUsable } from '../crypto/public-key.ts';
import type { PublicKey, PublicKeyKind } from '../crypto/signer.ts';
import { EC_PUBLIC_KEY, RSA_ENCRYPTION, spkiAlgorithm } from '../crypto/spki.ts';

/** A workload's own key, and what it will sign with: both are bound into its WIT-SVID (`reference/server.md` §7.4). */
export type WitKey = { readonly publicKey: PublicKey; readonly signingAlgorithm: string };

type Row = { readonly name: string; readonly algorithms: readonly string[] };

const rows: Readonly<Record<PublicKeyKind, Row>> = {
  rsa: { name: 'RSA', algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] },
  'ec-p256': { name: 'ec-p256', algorithms: ['ES256'] },
  'ec-p384': { name: 'ec-p384', algorithms: ['ES384'] },
  'ec-p521': { name: 'ec-p521', algorithms: ['ES512'] },
};

/** As SPIRE names keys that cannot sign for a workload: by the types of Go's library. */
const otherTypes: ReadonlyMap<string, string> = new Map([
  ['1.3.101.112', 'ed25519.PublicKey'],
  ['1.3.101.110', '*ecdh.PublicKey'],
  ['1.2.840.10040.4.1', '*dsa.PublicKey'],
]);

/** A sound public key (SubjectPublicKeyInfo DER), whether of use or not: then its algorithm. Throws 'invalid'. */
export function readWitPublicKey(spki: Uint8Array): PublicKey | { readonly otherType: string } {
  const key = readPublicKeyIfUsable(spki);
  if (key !== undefined) return key;
  const algorithm = spkiAlgorithm(spki);
  const otherType = otherTypes.get(algorithm);
  if (otherType !== undefined) return { otherType };
  throw new Fault('invalid', unusable.get(algorithm) ?? 'x509: unknown public key algorithm');
}

const unusable: ReadonlyMap<string, string> = new Map([
  [EC_PUBLIC_KEY, 'x509: unsupported elliptic curve'],
  [RSA_ENCRYPTION, 'unsupported RSA key: use one of 1024 to 16384 bits'],
]);

/** Throws 'invalid' where such a key does not sign with that algorithm. */
export function witKey(key: ReturnType<typeof readWitPublicKey>, signingAlgorithm: string): WitKey {
  if ('otherType' in key) throw new Fault('invalid', `unsupported key type '${key.otherType}'`);
  const { name, algorithms } = rows[key.kind];
  if (algorithms.includes(signingAlgorithm)) return { publicKey: key, signingAlgorithm };
  throw new Fault('invalid', `unsupported signing algorithm for ${name} key: ${signingAlgorithm}`);
}
