import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type Holder, rootAuthority } from '../../test/kit/certificates.ts';
import { jwkFromPublicKey } from '../crypto/jose/jwk.ts';
import { generateKey } from '../crypto/keys.ts';
import {
  type Bundle,
  emptyBundle,
  equalBundles,
  withJwtAuthority,
  withX509Authority,
} from './bundle.ts';
import {
  readBundleDocument,
  readSpiffeBundle,
  writeBundleDocument,
  writeJwtKeySet,
} from './bundle-document.ts';
import { bundleFor } from './bundle-lookup.ts';
import { readBundleMap, writeBundleMap } from './bundle-map.ts';
import { readJwtBundle } from './jwt-bundle.ts';
import { TrustDomain } from './trust-domain.ts';

const td = TrustDomain.parse('domain.test');
const fixtures = join(import.meta.dirname, '../../test/data/fixtures');
const goldenTest = TrustDomain.parse('golden.test');

type Json = Readonly<Record<string, unknown>>;

const invalid = (message: string | RegExp) => ({ name: 'Fault', kind: 'invalid', message });

describe('the bundle document', () => {
  let root: Holder;
  let x509: Json;
  let ec: Json;
  let rsa: Json;
  before(async () => {
    root = await rootAuthority('root');
    x509 = {
      use: 'x509-svid',
      ...jwkFromPublicKey(root.certificate.spki),
      x5c: [Buffer.from(root.certificate.der).toString('base64')],
    };
    ec = jwkFromPublicKey((await generateKey('ec-p256')).publicKey.spki);
    rsa = jwkFromPublicKey((await generateKey('rsa-2048')).publicKey.spki);
  });
  const jwt = (kid?: string): Json => ({ use: 'jwt-svid', kid, ...ec });
  const wit = (kid?: string): Json => ({ use: 'wit-svid', kid, ...rsa });
  const document = (keys: unknown, rest: Json = {}) => JSON.stringify({ keys, ...rest });

  for (const [file, options] of [
    ['svid/bundle.json', {}],
    ['endpoint/endpoint.json', { refreshHintSeconds: 300 }],
  ] as const) {
    test(`B-1: ${file} is read, and written again byte for byte`, async () => {
      const text = await readFile(join(fixtures, file), 'utf8');
      const bundle = readBundleDocument(goldenTest, text);
      assert.equal(bundle.x509Authorities.length, 2);
      assert.equal(bundle.jwtAuthorities.length, 2);
      assert.equal(writeBundleDocument(bundle, options), text.trimEnd());
    });
  }

  test('an empty bundle is written as SPIRE writes it', () => {
    assert.equal(writeBundleDocument(emptyBundle(td)), '{\n    "keys": null\n}');
  });

  test("the Workload API's key set is SPIRE's, byte for byte", async () => {
    const [, { bundles }] = JSON.parse(await readFile(join(fixtures, 'svid/jwt.json'), 'utf8'));
    const golden = Buffer.from(bundles['spiffe://golden.test'], 'base64').toString();
    const bundle = readBundleDocument(
      goldenTest,
      await readFile(join(fixtures, 'svid/bundle.json')),
    );
    const [first] = bundle.jwtAuthorities;
    assert.ok(first);
    assert.equal(writeJwtKeySet({ jwtAuthorities: [first] }), golden);
    const empty = Buffer.from(bundles['spiffe://b.test'], 'base64').toString();
    assert.equal(writeJwtKeySet({ jwtAuthorities: [] }), empty);
  });

  test('X-22, X-23: a stored record of several certificates becomes several keys', async () => {
    const other = await rootAuthority('other');
    const der = Buffer.concat([root.certificate.der, other.certificate.der]);
    const text = writeBundleDocument({
      ...emptyBundle(td),
      x509Authorities: [{ der, tainted: true }],
    });
    const keys: Json[] = JSON.parse(text).keys;
    assert.deepEqual(
      keys.map(({ use, kid, x5c }) => [use, kid, (x5c as string[]).length]),
      [
        ['x509-svid', undefined, 1],
        ['x509-svid', undefined, 1],
      ],
    );
  });

  for (const read of [readBundleDocument, readSpiffeBundle]) {
    describe(`read by ${read.name}`, () => {
      test('one x509-svid and one jwt-svid', () => {
        const bundle = read(td, document([x509, jwt('C6vs25welZOx6WksNYfbMfiw9l96pMnD')]));
        assert.deepEqual(
          bundle.x509Authorities.map(({ der }) => Buffer.from(der)),
          [Buffer.from(root.certificate.der)],
        );
        assert.deepEqual(
          bundle.jwtAuthorities.map(({ keyId }) => keyId),
          ['C6vs25welZOx6WksNYfbMfiw9l96pMnD'],
        );
        assert.equal(bundle.refreshHintSeconds, 0);
        assert.equal(bundle.sequenceNumber, 0n);
        assert.equal(bundle.trustDomain, td);
      });

      test('B-2, B-3: hint, sequence, and six jwt-svid', () => {
        const keys = [x509, ...'abcdef'.split('').map(jwt)];
        const bundle = read(td, document(keys, { spiffe_refresh_hint: 60, spiffe_sequence: 1 }));
        assert.equal(bundle.jwtAuthorities.length, 6);
        assert.equal(bundle.refreshHintSeconds, 60);
        assert.equal(bundle.sequenceNumber, 1n);
      });

      test('two jwt-svid and two wit-svid', () => {
        const bundle = read(td, document([x509, jwt('a'), jwt('b'), wit('c'), wit('d')]));
        assert.equal(bundle.jwtAuthorities.length, 2);
        assert.equal(bundle.witAuthorities.length, 2);
      });

      test('B-2: a sequence of 64 bits', () => {
        const text = `{"keys":[],"spiffe_sequence":${2n ** 64n - 1n}}`;
        assert.equal(read(td, text).sequenceNumber, 2n ** 64n - 1n);
      });

      test('B-4, B-5: no keys', () => {
        assert.deepEqual(read(td, document([])), emptyBundle(td));
      });

      test('B-6, B-9: members that are not ours', () => {
        const bundle = read(td, document([{ ...x509, alg: 'ES256', more: {} }], { more: [1] }));
        assert.equal(bundle.x509Authorities.length, 1);
      });

      test('a certificate twice, and a key under the same kid', () => {
        const bundle = read(
          td,
          document([x509, x509, jwt('a'), { ...rsa, use: 'jwt-svid', kid: 'a' }]),
        );
        assert.equal(bundle.x509Authorities.length, 1);
        assert.equal(bundle.jwtAuthorities.length, 1);
        assert.equal(writeJwtKeySet(bundle).includes('RSA'), true);
      });

      const broken: [why: string, rest: Json][] = [
        ['a hint that is text', { spiffe_refresh_hint: '60' }],
        ['a hint with a fraction', { spiffe_refresh_hint: 1.5 }],
        ['a sequence that is text', { spiffe_sequence: '1' }],
        ['a negative sequence', { spiffe_sequence: -1 }],
        ['a sequence of 65 bits', { spiffe_sequence: 2 ** 64 }],
      ];
      for (const [why, rest] of broken) {
        test(`B-2, B-3: refuses ${why}`, () => {
          assert.throws(() => read(td, document([], rest)), invalid(/has the wrong type$/));
        });
      }

      for (const [why, keys] of [
        ['an object', {}],
        ['a text', ''],
        ['a list of texts', ['x']],
        ['a list of lists', [[]]],
      ] as const) {
        test(`B-4: refuses keys that are ${why}`, () => {
          assert.throws(() => read(td, document(keys)), invalid(/has the wrong type$/));
        });
      }

      test('refuses an x5c that is not of the key, or no certificate', () => {
        for (const key of [
          { ...x509, ...ec },
          { ...x509, x5c: ['AAAA'] },
          { ...x509, x5c: ['?'] },
        ]) {
          assert.throws(() => read(td, document([key])), { kind: 'invalid' });
        }
      });

      test('never crashes', () => {
        fc.assert(
          fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
            try {
              read(td, text);
            } catch (error) {
              assert.equal((error as Error).name, 'Fault');
            }
          }),
        );
      });
    });
  }

  type Refusal = [why: string, keys: () => unknown, client: string | undefined, spire: string];
  const refusals: Refusal[] = [
    [
      'J-13: a jwt-svid without kid',
      () => [x509, jwt()],
      'spiffebundle: error adding authority 1 of JWKS: keyID cannot be empty',
      'missing key ID in jwt-svid entry 1',
    ],
    [
      'a wit-svid without kid',
      () => [x509, wit()],
      'spiffebundle: error adding WIT authority 1 of JWKS: keyID cannot be empty',
      'missing key ID in wit-svid entry 1',
    ],
    [
      'X-22, X-24: two certificates (the reference refuses what the standard passes over)',
      () => [{ ...x509, x5c: [...(x509['x5c'] as string[]), ...(x509['x5c'] as string[])] }],
      'spiffebundle: expected a single certificate in x509-svid entry 0; got 2',
      'expected a single certificate in x509-svid entry 0; got 2',
    ],
    [
      'X-22, X-24: no certificate',
      () => [{ ...x509, x5c: undefined }],
      'spiffebundle: expected a single certificate in x509-svid entry 0; got 0',
      'expected a single certificate in x509-svid entry 0; got 0',
    ],
    ['B-8: no use', () => [ec, x509], undefined, 'missing use for key entry 0'],
    [
      'B-8: another use',
      () => [x509, { ...ec, use: 'sig' }],
      undefined,
      'unrecognized use "sig" for key entry 1',
    ],
    [
      'B-8: a use in capitals',
      () => [x509, { ...ec, use: 'JWT-SVID', kid: 'a' }],
      undefined,
      'unrecognized use "JWT-SVID" for key entry 1',
    ],
  ];
  for (const [why, keys, client, spire] of refusals) {
    test(`${why}: refused by SPIRE's reader${client === undefined ? ', ignored by the client' : ' and the client'}`, () => {
      const text = document(keys());
      assert.throws(() => readBundleDocument(td, text), invalid(spire));
      if (client === undefined) {
        assert.equal(readSpiffeBundle(td, text).x509Authorities.length, 1);
        assert.equal(readSpiffeBundle(td, text).jwtAuthorities.length, 0);
      } else {
        assert.throws(() => readSpiffeBundle(td, text), invalid(client));
      }
    });
  }

  test("B-7: a key of unknown kty is ignored by the client, and spoils SPIRE's document", () => {
    const text = document([{ kty: 'XX', use: 'jwt-svid', kid: 'a' }, jwt('b')]);
    assert.deepEqual(
      readSpiffeBundle(td, text).jwtAuthorities.map(({ keyId }) => keyId),
      ['b'],
    );
    assert.throws(() => readBundleDocument(td, text), invalid(/^failed to decode bundle: ./));
  });

  for (const kty of [undefined, null, '', 5]) {
    test(`a key of kty ${JSON.stringify(kty)} spoils the document for everybody`, () => {
      const text = document([{ kty, use: 'other' }, jwt('b')]);
      assert.throws(
        () => readSpiffeBundle(td, text),
        invalid(/^spiffebundle: unable to parse JWKS: ./),
      );
      assert.throws(() => readBundleDocument(td, text), invalid(/^failed to decode bundle: ./));
    });
  }

  for (const text of ['{"spiffe_refresh_hint":60,"spiffe_sequence":1}', '{"keys":null}']) {
    test(`B-4: ${text}`, () => {
      assert.throws(
        () => readSpiffeBundle(td, text),
        invalid('spiffebundle: no authorities found'),
      );
      assert.equal(readBundleDocument(td, text).x509Authorities.length, 0);
    });
  }

  test('no JSON', () => {
    for (const text of ['', ' ', '{', '{"keys": [', '{"a": "}']) {
      assert.throws(
        () => readSpiffeBundle(td, text),
        invalid('spiffebundle: unable to parse JWKS: unexpected end of JSON input'),
      );
      assert.throws(() => readBundleDocument(td, text), invalid(/^failed to decode bundle: /));
    }
    for (const text of ['garbage', '[]', '{]}', '{"keys": }']) {
      assert.throws(
        () => readSpiffeBundle(td, text),
        invalid(/^spiffebundle: unable to parse JWKS: ./),
      );
      assert.throws(() => readBundleDocument(td, text), invalid(/^failed to decode bundle: ./));
    }
  });

  test("what follows the document is ignored, as by SPIRE's reader", () => {
    assert.deepEqual(readBundleDocument(td, ' {"keys":[]} and "more" {'), emptyBundle(td));
  });

  test('a long document of nothing but quotes is refused in linear time', () => {
    const started = performance.now();
    assert.throws(() => readBundleDocument(td, `{"${'\\"'.repeat(1_000_000)}`), {
      kind: 'invalid',
    });
    assert.ok(performance.now() - started < 2000);
  });

  describe('a JWT bundle', () => {
    test('with one key and with two; use is not looked at', () => {
      const one = readJwtBundle(document([jwt('a')]));
      const two = readJwtBundle(document([{ ...ec, kid: 'a' }, wit('b')]));
      assert.deepEqual([one.length, two.length], [1, 2]);
    });

    const refused: [why: string, text: () => string, message: string | RegExp][] = [
      [
        'a second key without kid',
        () => document([jwt('a'), jwt()]),
        'jwtbundle: error adding authority 1 of JWKS: keyID cannot be empty',
      ],
      ['bad JSON', () => 'x', /^jwtbundle: unable to parse JWKS: ./],
    ];
    for (const [why, text, message] of refused) {
      test(`refuses ${why}`, () => {
        assert.throws(() => readJwtBundle(text()), invalid(message));
      });
    }
  });

  describe('a bundle map', () => {
    const other = TrustDomain.parse('other.test');
    test('B-12, B-14: is read as it was written, without hints', () => {
      const first = readSpiffeBundle(td, document([x509], { spiffe_refresh_hint: 60 }));
      const text = writeBundleMap([first, { ...emptyBundle(other), sequenceNumber: 2n ** 60n }]);
      assert.deepEqual(Object.keys(JSON.parse(text).trust_domains), ['domain.test', 'other.test']);
      const bundles = readBundleMap(text);
      assert.equal(bundles[0]?.refreshHintSeconds, 0);
      assert.equal(bundles[0]?.x509Authorities.length, 1);
      assert.equal(bundles[1]?.sequenceNumber, 2n ** 60n);
    });

    test('B-12: may be empty', () => {
      assert.deepEqual(readBundleMap(writeBundleMap([])), []);
    });

    test('B-13: refuses a trust domain twice', () => {
      assert.throws(() => writeBundleMap([emptyBundle(td), emptyBundle(td)]), {
        kind: 'invalid',
        message: 'trust domain "domain.test" occurs twice in the bundle map',
      });
      const text =
        '{"trust_domains":{"domain.test":{"keys":[]},"spiffe://domain.test":{"keys":[]}}}';
      assert.throws(() => readBundleMap(text), { kind: 'invalid' });
    });

    for (const text of [
      '',
      '{}',
      '{"trust_domains":[]}',
      '{"trust_domains":{"A":{"keys":[]}}}',
      '{"trust_domains":{"a":7}}',
    ]) {
      test(`B-12: refuses ${text || 'nothing'}`, () => {
        assert.throws(() => readBundleMap(text), { kind: 'invalid' });
      });
    }
  });

  describe('a bundle', () => {
    const authority = (keyId: string, publicKey = Buffer.from(keyId)) => ({
      publicKey,
      keyId,
      expiresAt: 0,
      tainted: false,
    });
    const withRoots = (...names: string[]): Bundle => ({
      ...emptyBundle(td),
      x509Authorities: names.map((name) => ({ der: Buffer.from(name), tainted: false })),
    });

    test('keeps an X.509 authority once, a JWT authority under its kid', () => {
      const one = withX509Authority(withRoots('a'), { der: Buffer.from('a'), tainted: false });
      assert.equal(one.x509Authorities.length, 1);
      assert.equal(
        withX509Authority(one, { der: Buffer.from('b'), tainted: false }).x509Authorities.length,
        2,
      );
      const replaced = withJwtAuthority(
        withJwtAuthority(one, authority('k')),
        authority('k', Buffer.from('new')),
      );
      assert.deepEqual(replaced.jwtAuthorities, [authority('k', Buffer.from('new'))]);
    });

    const jwts = (...keys: string[]): Bundle => ({
      ...emptyBundle(td),
      jwtAuthorities: keys.map((key) => authority(key)),
    });
    const pairs: [why: string, a: Bundle, b: Bundle, equal: boolean][] = [
      ['the same', withRoots('a', 'b'), withRoots('a', 'b'), true],
      ['another trust domain', emptyBundle(td), emptyBundle(goldenTest), false],
      ['another hint', emptyBundle(td), { ...emptyBundle(td), refreshHintSeconds: 1 }, false],
      ['another sequence', emptyBundle(td), { ...emptyBundle(td), sequenceNumber: 1n }, false],
      ['another order of roots', withRoots('a', 'b'), withRoots('b', 'a'), false],
      ['one root more', withRoots('a'), withRoots('a', 'b'), false],
      ['another order of keys', jwts('a', 'b'), jwts('b', 'a'), true],
      ['one key more', jwts('a'), jwts('a', 'b'), false],
      ['one key less', jwts('a', 'b'), jwts('a'), false],
      [
        'another key under the kid',
        jwts('a'),
        { ...jwts(), jwtAuthorities: [authority('a', Buffer.from('x'))] },
        false,
      ],
      [
        'another WIT key',
        emptyBundle(td),
        { ...emptyBundle(td), witAuthorities: [authority('a')] },
        false,
      ],
    ];
    for (const [why, a, b, equal] of pairs) {
      test(`${equal ? 'equals' : 'does not equal'} one with ${why}`, () => {
        assert.equal(equalBundles(a, b), equal);
      });
    }

    test('is found by its trust domain only', () => {
      const bundle = emptyBundle(td);
      assert.equal(bundleFor([emptyBundle(goldenTest), bundle], td), bundle);
      for (const [use, name] of [
        ['spiffe', 'SPIFFE'],
        ['x509', 'X.509'],
        ['jwt', 'JWT'],
        ['wit', 'WIT'],
      ] as const) {
        assert.throws(() => bundleFor([bundle], TrustDomain.parse('domain2.test'), use), {
          kind: 'not-found',
          message: `no ${name} bundle for trust domain "domain2.test"`,
        });
      }
    });
  });
});
