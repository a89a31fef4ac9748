import { hash } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import type { PublicKey } from './signer.ts';
import { bitLength, readSpki, subjectPublicKey } from './spki.ts';

/** Reads a SubjectPublicKeyInfo. Throws 'invalid' if it is malformed or of a kind that we do not use. */
export function readPublicKey(spki: Uint8Array): PublicKey {
  const key = readPublicKeyIfUsable(spki);
  if (key !== undefined) return key;
  throw new Fault(
    'invalid',
    'unsupported public key: use an EC key on P-256, P-384 or P-521, or an RSA key of 1024 to 16384 bits',
  );
}

/** The same, but undefined for a sound key of another kind. */
export function readPublicKeyIfUsable(spki: Uint8Array): PublicKey | undefined {
  const own = new Uint8Array(spki); // What was judged must not change under us.
  const parts = readSpki(own);
  if (parts === undefined) return undefined;
  return parts.kind === 'ec'
    ? { spki: own, kind: parts.curve.kind, bits: parts.curve.bits }
    : { spki: own, kind: 'rsa', bits: bitLength(parts.modulus) };
}

/** The SHA-1 of the public key's BIT STRING (RFC 5280 §4.2.1.2, method 1), as SPIRE's SubjectKeyIdentifiers are. */
export const subjectKeyId = (spki: Uint8Array): Uint8Array =>
  new Uint8Array(hash('sha1', subjectPublicKey(spki), 'buffer'));
