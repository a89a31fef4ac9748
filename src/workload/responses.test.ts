import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { leafOf, NOW, rootAuthority } from '../../test/kit/certificates.ts';
import { signJws } from '../crypto/jose/jws.ts';
import { generateKey } from '../crypto/keys.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import {
  JWTBundlesResponseSchema,
  JWTSVIDResponseSchema,
  X509BundlesResponseSchema,
  X509SVIDResponseSchema,
} from '../wire/gen/spiffe/workload/workload_pb.ts';
import { readJwtBundles, readJwtSvids, readX509Bundles, readX509Context } from './responses.ts';

const root = await rootAuthority('example.test');
const other = await rootAuthority('other.test');
const key = await generateKey('ec-p256');

async function svid(path: string, more: { hint?: string } = {}) {
  const id = `spiffe://example.test${path}`;
  const { certificate, key: own } = await leafOf(root, id);
  return {
    spiffeId: id,
    x509Svid: certificate.der,
    x509SvidKey: own.toPkcs8(),
    bundle: root.certificate.der,
    ...more,
  };
}

const context = (message: MessageInitShape<typeof X509SVIDResponseSchema>) =>
  readX509Context(create(X509SVIDResponseSchema, message));

const good = await svid('/a');

describe('an answer with X509-SVIDs', () => {
  test('the first is the default; of several with one hint the first counts', async () => {
    const { svids } = context({
      svids: [
        await svid('/a', { hint: 'x' }),
        await svid('/b', { hint: 'x' }),
        await svid('/c'),
        await svid('/d'),
      ],
    });
    assert.deepEqual(
      svids.map(({ id, hint }) => [id.path, hint]),
      [
        ['/a', 'x'],
        ['/c', ''],
        ['/d', ''],
      ],
    );
  });

  test('the own bundle is what came with the SVID, whatever is said of federated ones', async () => {
    const { bundles } = context({
      svids: [await svid('/a')],
      federatedBundles: {
        'spiffe://example.test': other.certificate.der,
        'spiffe://other.test': other.certificate.der,
      },
    });
    const rootsOf = (name: string) =>
      bundles.of(TrustDomain.parse(name))?.x509Authorities.map(({ der }) => Buffer.from(der));
    assert.deepEqual(rootsOf('example.test'), [Buffer.from(root.certificate.der)]);
    assert.deepEqual(rootsOf('other.test'), [Buffer.from(other.certificate.der)]);
    assert.equal([...bundles].length, 2);
  });

  const refusals: readonly [
    why: string,
    message: MessageInitShape<typeof X509SVIDResponseSchema>,
    says: RegExp,
  ][] = [
    ['no SVID', {}, /no SVIDs in response/],
    ['an ID that is none', { svids: [{ ...good, spiffeId: 'x' }] }, /the SVID of x is that of/],
    [
      'the ID of another',
      { svids: [{ ...good, spiffeId: 'spiffe://example.test/b' }] },
      /the SVID of spiffe:\/\/example.test\/b is that of spiffe:\/\/example.test\/a/,
    ],
    ['no certificate', { svids: [{ ...good, x509Svid: Uint8Array.of() }] }, /no certificates/],
    ['what is no certificate', { svids: [{ ...good, x509Svid: Uint8Array.of(1) }] }, /./],
    [
      'the key of another',
      { svids: [{ ...good, x509SvidKey: key.toPkcs8() }] },
      /does not match private key/,
    ],
    ['what is no key', { svids: [{ ...good, x509SvidKey: Uint8Array.of(1) }] }, /./],
    ['what is no bundle', { svids: [{ ...good, bundle: Uint8Array.of(1) }] }, /x509: /],
    [
      'a bundle of what is no trust domain',
      { svids: [good], federatedBundles: { 'http://a': other.certificate.der } },
      /./,
    ],
    ['one good SVID and one bad', { svids: [good, { ...good, x509Svid: Uint8Array.of() }] }, /./],
  ];
  for (const [why, message, says] of refusals) {
    test(`with ${why} is refused whole`, () => {
      assert.throws(
        () => context(message),
        (error: Error & { kind?: string }) => {
          assert.equal(error.kind, 'internal');
          assert.match(error.message, /^malformed response: /);
          assert.match(error.message, says);
          return true;
        },
      );
    });
  }
});

describe('an answer with bundles', () => {
  test('names trust domains by ID or by name', () => {
    const bundles = readX509Bundles(
      create(X509BundlesResponseSchema, {
        bundles: { 'spiffe://example.test': root.certificate.der, 'other.test': new Uint8Array() },
      }),
    );
    assert.deepEqual(
      Array.from(bundles, ({ trustDomain, x509Authorities }) => [
        trustDomain.name,
        x509Authorities.length,
      ]),
      [
        ['example.test', 1],
        ['other.test', 0],
      ],
    );
  });

  const malformed = { kind: 'internal', message: /^malformed response: / };
  test('is refused whole where one is malformed', () => {
    for (const bundles of [
      { 'spiffe://example.test': Uint8Array.of(1) },
      { '': root.certificate.der },
    ]) {
      assert.throws(
        () => readX509Bundles(create(X509BundlesResponseSchema, { bundles })),
        malformed,
      );
    }
    for (const text of ['', 'nonsense', '[]', '{"keys":5}']) {
      const bundles = { 'spiffe://example.test': Buffer.from(text) };
      assert.throws(
        () => readJwtBundles(create(JWTBundlesResponseSchema, { bundles })),
        malformed,
        text,
      );
    }
  });
});

describe('an answer with JWT-SVIDs', () => {
  const token = (claims: object) =>
    signJws(
      {
        header: { kid: 'k' },
        payload: { sub: 'spiffe://example.test/a', aud: ['a'], exp: NOW + 60, iat: NOW, ...claims },
      },
      key,
      'ES256',
    );
  const read = (...svids: MessageInitShape<typeof JWTSVIDResponseSchema>['svids'] & object) =>
    readJwtSvids(create(JWTSVIDResponseSchema, { svids }), ['a'], NOW);

  test('the first is the default; of several with one hint the first counts', async () => {
    const svids = read(
      { svid: await token({ jti: '1' }), hint: 'x' },
      { svid: await token({ jti: '2' }), hint: 'x' },
      { svid: await token({ jti: '3' }) },
    );
    assert.deepEqual(
      svids.map(({ claims, hint }) => [claims['jti'], hint]),
      [
        ['1', 'x'],
        ['3', ''],
      ],
    );
  });

  const refusals: readonly [why: string, claims: object | string, says: RegExp][] = [
    ['for another audience', { aud: ['b'] }, /audience/],
    ['that has expired', { exp: NOW - 61 }, /expired/],
    ['of nobody', { sub: 'x' }, /./],
    ['that is none', 'nonsense', /./],
  ];
  for (const [why, claims, says] of refusals) {
    test(`with a token ${why} is refused whole`, async () => {
      const bad = typeof claims === 'string' ? claims : await token(claims);
      const good = await token({});
      assert.throws(
        () => read({ svid: good }, { svid: bad }),
        (error: Error) => {
          assert.match(error.message, /^malformed response: /);
          assert.match(error.message, says);
          return true;
        },
      );
    });
  }

  test('without any is refused', () => {
    assert.throws(() => read(), { kind: 'internal', message: /there were no SVIDs/ });
  });
});
