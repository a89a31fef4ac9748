import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Holder, rootAuthority } from '../../test/kit/certificates.ts';
import type { Bundle } from '../spiffe/bundle.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { bundleFromProto, bundleToProto, jwtAuthorityFromProto } from './bundle.ts';
import { BundleMaskSchema, BundleSchema, JWTKeySchema } from './gen/spire/api/types/bundle_pb.ts';

describe('a bundle on the wire', () => {
  let root: Holder;
  let spki: Uint8Array;
  before(async () => {
    root = await rootAuthority('root');
    spki = root.key.publicKey.spki;
  });

  const proto = (changes: MessageInitShape<typeof BundleSchema> = {}) =>
    create(BundleSchema, {
      trustDomain: 'b.test',
      x509Authorities: [{ asn1: root.certificate.der, tainted: true }],
      jwtAuthorities: [{ publicKey: spki, keyId: 'k', expiresAt: 7n, tainted: true }],
      witAuthorities: [{ publicKey: spki, keyId: 'w' }],
      refreshHint: 60n,
      sequenceNumber: 2n ** 64n - 1n,
      ...changes,
    });

  test('is read without taint flags and WIT keys', () => {
    assert.deepEqual(bundleFromProto(proto()), {
      trustDomain: TrustDomain.parse('b.test'),
      x509Authorities: [{ der: root.certificate.der, tainted: false }],
      jwtAuthorities: [{ publicKey: spki, keyId: 'k', expiresAt: 7, tainted: false }],
      witAuthorities: [],
      refreshHintSeconds: 60,
      sequenceNumber: 2n ** 64n - 1n,
    });
  });

  test('is taken under an ID, with several certificates in one authority, or none', () => {
    const twice = Buffer.concat([root.certificate.der, root.certificate.der]);
    const read = bundleFromProto(
      proto({
        trustDomain: 'spiffe://b.test',
        x509Authorities: [{ asn1: twice }, { asn1: new Uint8Array() }],
      }),
    );
    assert.equal(read.trustDomain.name, 'b.test');
    assert.deepEqual(
      read.x509Authorities.map(({ der }) => der.length),
      [twice.length, 0],
    );
  });

  const garbage = Buffer.from('garbage');
  const refused: [
    why: string,
    changes: () => MessageInitShape<typeof BundleSchema>,
    message: string | RegExp,
  ][] = [
    [
      'no trust domain',
      () => ({ trustDomain: '' }),
      'invalid trust domain: trust domain is missing',
    ],
    [
      'X.509',
      () => ({ x509Authorities: [{ asn1: garbage }] }),
      /^unable to parse X.509 authority: ./,
    ],
    [
      'X.509 with more behind it',
      () => ({ x509Authorities: [{ asn1: Buffer.concat([root.certificate.der, garbage]) }] }),
      /^unable to parse X.509 authority: ./,
    ],
    [
      'JWT',
      () => ({ jwtAuthorities: [{ publicKey: garbage, keyId: 'k' }] }),
      /^unable to parse JWT authority: ./,
    ],
    [
      'JWT: the key is looked at before the key ID',
      () => ({ jwtAuthorities: [{ publicKey: garbage }] }),
      /^unable to parse JWT authority: (?!missing key ID)/,
    ],
    [
      'no key ID',
      () => ({ jwtAuthorities: [{ publicKey: spki }] }),
      'unable to parse JWT authority: missing key ID',
    ],
    ['hint', () => ({ refreshHint: -(2n ** 63n) }), /^refresh_hint is out of range: /],
  ];
  for (const [why, changes, message] of refused) {
    test(`is refused: ${why}`, () => {
      assert.throws(() => bundleFromProto(proto(changes())), { kind: 'invalid', message });
    });
  }

  test('is refused where there is none', () => {
    assert.throws(() => bundleFromProto(undefined), {
      kind: 'invalid',
      message: 'no bundle provided',
    });
  });

  test('of one JWT authority, for what publishes it', () => {
    const key = create(JWTKeySchema, { publicKey: spki, expiresAt: 1n });
    assert.throws(() => jwtAuthorityFromProto(key), { message: 'missing key ID' });
  });

  test('is written with taint flags and WIT keys, through a mask', () => {
    const key = { publicKey: spki, keyId: 'k', expiresAt: 7, tainted: true };
    const bundle: Bundle = {
      ...bundleFromProto(proto()),
      x509Authorities: [{ der: root.certificate.der, tainted: true }],
      witAuthorities: [key],
      jwtAuthorities: [key],
    };
    const full = create(BundleSchema, bundleToProto(bundle));
    assert.deepEqual(
      full,
      proto({ witAuthorities: [{ publicKey: spki, keyId: 'k', expiresAt: 7n, tainted: true }] }),
    );
    for (const { localName } of BundleMaskSchema.fields) {
      const mask = create(BundleMaskSchema, { [localName]: true });
      assert.deepEqual(
        create(BundleSchema, bundleToProto(bundle, mask)),
        create(BundleSchema, {
          trustDomain: 'b.test',
          [localName]: full[localName as keyof typeof full],
        }),
      );
    }
  });
});
