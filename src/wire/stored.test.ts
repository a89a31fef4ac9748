import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bundle, emptyBundle, type KeyAuthority } from '../spiffe/bundle.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { storedAttributesFromBytes, storedAttributesToBytes } from './stored-attributes.ts';
import { storedBundleFromBytes, storedBundleToBytes } from './stored-bundle.ts';

const database = join(
  import.meta.dirname,
  '../../test/data/fixtures/server/data/datastore.sqlite3',
);

/** `immutable`: the fixture must not get side files. */
function rows(query: string): Record<string, unknown>[] {
  const db = new DatabaseSync(`file:${database}?immutable=1`, { readOnly: true });
  try {
    return db.prepare(query).all();
  } finally {
    db.close();
  }
}

test("SPIRE's stored bundles are read, and written again byte for byte", () => {
  const stored = rows('select trust_domain, data from bundles order by id');
  assert.deepEqual(
    stored.map((row) => row['trust_domain']),
    ['spiffe://golden.test', 'spiffe://b.test', 'spiffe://c.test'],
  );
  for (const row of stored) {
    const data = row['data'] as Uint8Array;
    const bundle = storedBundleFromBytes(data);
    assert.equal(bundle.trustDomain.idString, row['trust_domain']);
    assert.equal(Buffer.compare(storedBundleToBytes(bundle), data), 0);
  }
});

test('a stored bundle holds everything', () => {
  const key = { publicKey: Buffer.from('k'), keyId: 'kid', expiresAt: 9, tainted: true };
  const bundle: Bundle = {
    trustDomain: TrustDomain.parse('b.test'),
    x509Authorities: [{ der: Buffer.from('d'), tainted: true }],
    jwtAuthorities: [key],
    witAuthorities: [{ ...key, tainted: false }],
    refreshHintSeconds: 60,
    sequenceNumber: 2n ** 64n - 1n,
  };
  const read = storedBundleFromBytes(storedBundleToBytes(bundle));
  assert.deepEqual(plain(read), plain(bundle));
});

/** Bytes of any kind as text, so that values compare. */
const plain = (bundle: Bundle) => ({
  ...bundle,
  x509Authorities: bundle.x509Authorities.map(({ der, tainted }) => ({ der: hex(der), tainted })),
  jwtAuthorities: bundle.jwtAuthorities.map(plainKey),
  witAuthorities: bundle.witAuthorities.map(plainKey),
});
const plainKey = (key: KeyAuthority) => ({ ...key, publicKey: hex(key.publicKey) });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('what is no stored bundle is refused', () => {
  for (const bytes of [
    Buffer.from('garbage'),
    storedBundleToBytes(emptyBundle(TrustDomain.parse('a'))).subarray(0, 5),
  ]) {
    assert.throws(() => storedBundleFromBytes(bytes), {
      kind: 'invalid',
      message: /^unable to unmarshal bundle: ./,
    });
  }
  assert.throws(() => storedBundleFromBytes(new Uint8Array()), {
    kind: 'invalid',
    message: 'invalid trust domain: trust domain is missing',
  });
});

test('no bytes do anything but parse or be refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      for (const read of [storedBundleFromBytes, storedAttributesFromBytes]) {
        try {
          read(bytes);
        } catch (error) {
          assert.equal((error as Error).name, 'Fault');
        }
      }
    }),
  );
});

test('additional attributes are read as they were written; all off is none', () => {
  for (const attributes of [
    { disableX509SvidPrefetch: true, jwtSvidIncludeJti: false },
    { disableX509SvidPrefetch: false, jwtSvidIncludeJti: true },
  ]) {
    assert.deepEqual(storedAttributesFromBytes(storedAttributesToBytes(attributes)), attributes);
  }
  const off = storedAttributesToBytes({ disableX509SvidPrefetch: false, jwtSvidIncludeJti: false });
  assert.equal(off.length, 0);
  assert.equal(storedAttributesFromBytes(off), undefined);
  assert.equal(storedAttributesFromBytes(undefined), undefined);
  assert.throws(() => storedAttributesFromBytes(Buffer.from('garbage')), { kind: 'invalid' });
});
