import { Fault } from '../../base/fault.ts';
import { type Der, explicit, integer, nullValue, oid, sequence } from '../der/writer.ts';
import { type KeyUse, verifyPss, verifySignature } from '../signature.ts';
import type { PublicKey, SignatureHash } from '../signer.ts';

/** A signature algorithm of certificates and requests. */
type SignatureAlgorithm = {
  readonly name: string;
  readonly family: 'ec' | 'rsa';
  readonly hash: SignatureHash;
  /** The encodings of its AlgorithmIdentifier: ours first, then others that are taken. */
  readonly forms: readonly [Der, ...Der[]];
  readonly verify: typeof verifySignature;
};

const rsaOid = (last: number): Der => oid(`1.2.840.113549.1.1.${last}`);

/** RFC 5758 §3.2: no parameters. */
const ecdsa = (hash: SignatureHash, last: number): SignatureAlgorithm => ({
  name: `ECDSA-${hash.toUpperCase()}`,
  family: 'ec',
  hash,
  forms: [sequence(oid(`1.2.840.10045.4.3.${last}`))],
  verify: verifySignature,
});

/** RFC 4055 §5: NULL parameters; absent ones are let pass, as Go does. */
const pkcs1 = (hash: SignatureHash, last: number): SignatureAlgorithm => ({
  name: `${hash.toUpperCase()}-RSA`,
  family: 'rsa',
  hash,
  forms: [sequence(rsaOid(last), nullValue), sequence(rsaOid(last))],
  verify: verifySignature,
});

/** RFC 4055 §3.1: one hash throughout, a salt as long as it, and NULL or no parameters of the hash (§2.1). */
const pss = (hash: SignatureHash, hashArc: number, saltLength: number): SignatureAlgorithm => {
  const hashOid = oid(`2.16.840.1.101.3.4.2.${hashArc}`);
  const form = (hashAlgorithm: Der): Der =>
    sequence(
      rsaOid(10),
      sequence(
        explicit(0, hashAlgorithm),
        explicit(1, sequence(rsaOid(8), hashAlgorithm)),
        explicit(2, integer(saltLength)),
      ),
    );
  return {
    name: `${hash.toUpperCase()}-RSAPSS`,
    family: 'rsa',
    hash,
    forms: [form(sequence(hashOid, nullValue)), form(sequence(hashOid))],
    verify: verifyPss,
  };
};

const ecdsaWithSha256 = ecdsa('sha256', 2);
const ecdsaWithSha384 = ecdsa('sha384', 3);
const ecdsaWithSha512 = ecdsa('sha512', 4);
const sha256WithRsa = pkcs1('sha256', 11);

const signatureAlgorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  [
    ecdsaWithSha256,
    ecdsaWithSha384,
    ecdsaWithSha512,
    sha256WithRsa,
    pkcs1('sha384', 12),
    pkcs1('sha512', 13),
    pss('sha256', 1, 32),
    pss('sha384', 2, 48),
    pss('sha512', 3, 64),
  ].flatMap((algorithm) => algorithm.forms.map((form) => [latin1(form), algorithm] as const)),
);

const signingAlgorithms = {
  'ec-p256': ecdsaWithSha256,
  'ec-p384': ecdsaWithSha384,
  'ec-p521': ecdsaWithSha512,
  rsa: sha256WithRsa,
} satisfies Record<PublicKey['kind'], SignatureAlgorithm>;

/** What SPIRE's authorities sign certificates with (`reference/server.md` §7.1), by the kind of their key. */
export function signingAlgorithmOf(key: PublicKey): {
  readonly der: Der;
  readonly hash: SignatureHash;
} {
  const { forms, hash } = signingAlgorithms[key.kind];
  return { der: forms[0], hash };
}

/** What was signed, how, and the signature: the frame that certificates and requests share. */
export type Signed = {
  readonly message: Uint8Array;
  /** DER of the AlgorithmIdentifier. */
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
};

/** Throws 'invalid', in Go's words, unless the signature is that key's. */
export async function checkSignature(
  signed: Signed,
  key: PublicKey,
  use: KeyUse = 'again',
): Promise<void> {
  const algorithm = signatureAlgorithms.get(latin1(signed.algorithm));
  if (algorithm === undefined) {
    throw new Fault('invalid', 'x509: cannot verify signature: algorithm unimplemented');
  }
  const family = key.kind === 'rsa' ? 'rsa' : 'ec';
  if (algorithm.family !== family) {
    throw new Fault(
      'invalid',
      `x509: signature algorithm specifies an ${algorithm.name} signature, but have public key of type ${key.kind}`,
    );
  }
  if (!(await algorithm.verify(key, algorithm.hash, signed.message, signed.signature, use))) {
    throw new Fault(
      'invalid',
      family === 'rsa' ? 'crypto/rsa: verification error' : 'x509: ECDSA verification failure',
    );
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
