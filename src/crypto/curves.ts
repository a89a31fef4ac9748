import { unsigned } from './der/reader.ts';
import type { PublicKeyKind } from './signer.ts';

/** A prime curve y² = x³ - 3x + b over the field of p, with a generator of order n (FIPS 186-4 §D.1.2). */
export type Curve = {
  readonly kind: Exclude<PublicKeyKind, 'rsa'>;
  readonly jwkName: 'P-256' | 'P-384' | 'P-521';
  readonly oid: string;
  readonly bits: number;
  /** The length of a coordinate. */
  readonly bytes: number;
  readonly p: bigint;
  readonly b: bigint;
  readonly n: bigint;
};

export const curves: readonly Curve[] = [
  {
    kind: 'ec-p256',
    jwkName: 'P-256',
    oid: '1.2.840.10045.3.1.7',
    bits: 256,
    bytes: 32,
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  {
    kind: 'ec-p384',
    jwkName: 'P-384',
    oid: '1.3.132.0.34',
    bits: 384,
    bytes: 48,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  {
    kind: 'ec-p521',
    jwkName: 'P-521',
    oid: '1.3.132.0.35',
    bits: 521,
    bytes: 66,
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    n: 0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
];

/** All of these have cofactor 1, so a point on the curve is a sound public key (SP 800-56A §5.6.2.3.4). */
export function isOnCurve(curve: Curve, x: Uint8Array, y: Uint8Array): boolean {
  const [px, py] = [unsigned(x), unsigned(y)];
  if (px >= curve.p || py >= curve.p) return false;
  return (py * py - (px * px * px - 3n * px + curve.b)) % curve.p === 0n;
}
