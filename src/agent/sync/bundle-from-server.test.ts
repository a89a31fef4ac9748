import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { BundleSchema } from '../../wire/gen/spire/api/types/bundle_pb.ts';
import { bundleFromServer } from './bundle-from-server.ts';

const spki = ({ publicKey }: { publicKey: KeyObject }): Uint8Array =>
  publicKey.export({ type: 'spki', format: 'der' });

const bundleWith = (...keys: readonly Uint8Array[]) =>
  create(BundleSchema, {
    trustDomain: 'partner.test',
    jwtAuthorities: keys.map((publicKey, index) => ({ publicKey, keyId: `key-${index}` })),
  });

const p256 = spki(generateKeyPairSync('ec', { namedCurve: 'P-256' }));

describe('a JWT key that no JWT-SVID is signed with is passed over, and the others are taken', () => {
  for (const [kind, key] of [
    ['Ed25519', spki(generateKeyPairSync('ed25519'))],
    ['P-224', spki(generateKeyPairSync('ec', { namedCurve: 'P-224' }))],
    ['RSA-PSS', spki(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }))],
  ] as const) {
    test(kind, () => {
      const passedOver: string[] = [];
      const bundle = bundleFromServer(bundleWith(key, p256), (id) => passedOver.push(id));
      assert.deepEqual(
        bundle.jwtAuthorities.map(({ keyId }) => keyId),
        ['key-1'],
      );
      assert.deepEqual(passedOver, ['key-0']);
    });
  }
});

describe('what is no key spoils the bundle', () => {
  for (const [what, key] of [
    ['nothing', new Uint8Array()],
    ['text', Buffer.from('key')],
    ['half a key', p256.subarray(0, 40)],
    ['a key and more', Buffer.concat([p256, Uint8Array.of(0)])],
  ] as const) {
    test(what, () => {
      assert.throws(() => bundleFromServer(bundleWith(p256, key)), {
        kind: 'invalid',
        message: /^unable to parse JWT signing key 1: /,
      });
    });
  }
});

test('WIT authorities are taken with their taints; a broken one spoils nothing', () => {
  const passedOver: string[] = [];
  const bundle = bundleFromServer(
    create(BundleSchema, {
      trustDomain: 'partner.test',
      witAuthorities: [
        { publicKey: p256, keyId: 'good', expiresAt: 7n, tainted: true },
        { publicKey: Buffer.from('key'), keyId: 'broken' },
        { publicKey: p256, keyId: '' },
      ],
    }),
    (id) => passedOver.push(id),
  );
  assert.deepEqual(bundle.witAuthorities, [
    { publicKey: Uint8Array.from(p256), keyId: 'good', expiresAt: 7, tainted: true },
  ]);
  assert.deepEqual(passedOver, ['broken', '']);
});
