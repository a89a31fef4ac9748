import { Fault } from '../../base/fault.ts';
import { type Curve, curves } from '../curves.ts';
import { readWhole } from '../der/reader.ts';
import { sequence, unsignedInteger } from '../der/writer.ts';
import { verifyPss, verifySignature } from '../signature.ts';
import type { PssSigner, PublicKey, SignatureHash, Signer } from '../signer.ts';

/** How signatures of one `alg` are made and checked (RFC 7518 §3). */
type AlgorithmRow = {
  readonly kind: PublicKey['kind'];
  readonly sign: (signer: Signer, message: Uint8Array) => Promise<Uint8Array>;
  readonly verify: (key: PublicKey, message: Uint8Array, signature: Uint8Array) => Promise<boolean>;
};

/** RFC 7518 §3.3. */
const pkcs1 = (hash: SignatureHash): AlgorithmRow => ({
  kind: 'rsa',
  sign: (signer, message) => signer.sign(message, hash),
  verify: (key, message, signature) => verifySignature(key, hash, message, signature),
});

/** RFC 7518 §3.5. */
const pss = (hash: SignatureHash): AlgorithmRow => ({
  kind: 'rsa',
  sign: (signer, message) => pssSigner(signer).signPss(message, hash),
  verify: (key, message, signature) => verifyPss(key, hash, message, signature),
});

/** RFC 7518 §3.4: r and s side by side, each as long as the field. */
const ecdsa = (kind: Curve['kind'], hash: SignatureHash): AlgorithmRow => {
  const bytes = curves.find((curve) => curve.kind === kind)?.bytes ?? 0;
  return {
    kind,
    sign: async (signer, message) => besides(await signer.sign(message, hash), bytes),
    verify: async (key, message, signature) =>
      signature.length === 2 * bytes &&
      (await verifySignature(key, hash, message, nested(signature))),
  };
};

/** The algorithms of JWT-SVIDs (`reference/standards.md` J-3); all others are unknown to us. */
export const jwsAlgorithms = {
  RS256: pkcs1('sha256'),
  RS384: pkcs1('sha384'),
  RS512: pkcs1('sha512'),
  ES256: ecdsa('ec-p256', 'sha256'),
  ES384: ecdsa('ec-p384', 'sha384'),
  ES512: ecdsa('ec-p521', 'sha512'),
  PS256: pss('sha256'),
  PS384: pss('sha384'),
  PS512: pss('sha512'),
} satisfies Record<string, AlgorithmRow>;
export type JwsAlgorithm = keyof typeof jwsAlgorithms;

export const isJwsAlgorithm = (name: unknown): name is JwsAlgorithm =>
  typeof name === 'string' && Object.hasOwn(jwsAlgorithms, name);

/** What SPIRE signs tokens with (`reference/server.md` §7.3), by the kind of the key. */
const preferred = {
  'ec-p256': 'ES256',
  'ec-p384': 'ES384',
  'ec-p521': 'ES512',
  rsa: 'RS256',
} satisfies Record<PublicKey['kind'], JwsAlgorithm>;

/** RS256, ES256, ES384 or ES512. */
export const jwsAlgorithmFor = (key: PublicKey): JwsAlgorithm => preferred[key.kind];

function pssSigner(signer: Signer): PssSigner {
  if ('signPss' in signer) return signer as PssSigner;
  throw new Fault('invalid', 'this signer makes no RSASSA-PSS signatures');
}

/** `SEQUENCE(r, s)` to r ‖ s. */
function besides(der: Uint8Array, bytes: number): Uint8Array {
  const [r, s] = readWhole(der, (reader) =>
    reader.sequence((pair) => [pair.integerBytes(), pair.integerBytes()] as const),
  );
  const signature = new Uint8Array(2 * bytes);
  for (const [number, end] of [
    [r, bytes],
    [s, 2 * bytes],
  ] as const) {
    const magnitude = number[0] === 0 ? number.subarray(1) : number;
    if (magnitude.length > bytes)
      throw new Fault('internal', 'the signer made a malformed signature');
    signature.set(magnitude, end - magnitude.length);
  }
  return signature;
}

/** r ‖ s to `SEQUENCE(r, s)`. */
function nested(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  return sequence(
    unsignedInteger(signature.subarray(0, half)),
    unsignedInteger(signature.subarray(half)),
  );
}
