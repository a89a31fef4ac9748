import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type JwsAlgorithm, signJws } from '../crypto/jose/jws.ts';
import { generateKey, type PrivateKey } from '../crypto/keys.ts';
import { type Bundle, emptyBundle } from './bundle.ts';
import { readBundleDocument } from './bundle-document.ts';
import { jwtSvidClaims } from './jwt-claims.ts';
import { type JwtSvidValidator, parseJwtSvidUnverified, verifyJwtSvid } from './jwt-svid.ts';
import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';

const NOW = 1_800_000_000;
const trustDomain = TrustDomain.parse('trustdomain');
const SUBJECT = 'spiffe://trustdomain/host';

type Part = Readonly<Record<string, unknown>>;
type TokenChanges = {
  readonly header?: Part;
  readonly claims?: Part;
  readonly signer?: 'authority1' | 'authority2';
};

const defined = (part: Part): Part =>
  Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined));
const encode = (part: Part): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const decode = (part: string): Part => JSON.parse(Buffer.from(part, 'base64url').toString());

describe('JWT-SVID', () => {
  let keys: Record<'authority1' | 'authority2', PrivateKey>;
  let bundle: Bundle;
  before(async () => {
    keys = { authority1: await generateKey('ec-p384'), authority2: await generateKey('rsa-2048') };
    bundle = {
      ...emptyBundle(trustDomain),
      jwtAuthorities: Object.entries(keys).map(([keyId, { publicKey }]) => ({
        keyId,
        publicKey: publicKey.spki,
        expiresAt: 0,
        tainted: false,
      })),
    };
  });
  const bundleOf = (name: TrustDomain) => (name.equals(trustDomain) ? bundle : undefined);

  /** What is right but for the changes; undefined takes a member away. */
  function token({ header, claims, signer = 'authority1' }: TokenChanges = {}): Promise<string> {
    const algorithm: JwsAlgorithm = signer === 'authority1' ? 'ES384' : 'RS256';
    return signJws(
      {
        header: defined({ kid: signer, typ: 'JWT', ...header }),
        payload: defined({
          sub: SUBJECT,
          aud: ['audience'],
          exp: NOW + 60,
          iat: NOW,
          ...claims,
        }),
      },
      keys[signer],
      algorithm,
    );
  }

  const verify = (text: string, audience = ['audience'], validator?: JwtSvidValidator) =>
    verifyJwtSvid(text, bundleOf, audience, NOW, validator);

  const accepted: [rule: string, changes: TokenChanges, audience?: string[]][] = [
    ['J-1: compact form', {}],
    ['J-4: signed by the other authority', { signer: 'authority2' }],
    ['J-5: typ JOSE', { header: { typ: 'JOSE' } }],
    ['J-5: no typ', { header: { typ: undefined } }],
    ['J-7: one audience as a string', { claims: { aud: 'audience' } }],
    ['J-7: one of several audiences', { claims: { aud: ['a', 'audience'] } }],
    ['J-7: one of several expected ones', {}, ['other', 'audience']],
    ['J-7: an empty expected list skips the match', {}, []],
    ['J-8: a single audience', {}, ['audience']],
    ['J-9: a second before the leeway ends', { claims: { exp: NOW - 59 } }],
    ['J-10: other claims, jti among them', { claims: { jti: 'x', other: { deep: [1, null] } } }],
    ['nbf within the leeway', { claims: { nbf: NOW + 60 } }],
    ['iat within the leeway', { claims: { iat: NOW + 60 } }],
    ['no iat', { claims: { iat: undefined } }],
  ];
  for (const [rule, changes, audience] of accepted) {
    test(`${rule}: accepted by all validators`, async () => {
      const text = await token(changes);
      for (const validator of ['client', 'workload-api'] as const) {
        const svid = await verify(text, audience, validator);
        assert.equal(svid.id.toString(), SUBJECT);
        assert.equal(svid.token, text);
        assert.equal(svid.claims['sub'], SUBJECT);
      }
      assert.equal(parseJwtSvidUnverified(text, audience ?? ['audience'], NOW).token, text);
    });
  }

  test('tells ID, audience, expiry and claims of a valid token', async () => {
    const svid = await verify(await token());
    assert.deepEqual(svid.audience, ['audience']);
    assert.equal(svid.expiresAt, NOW + 60);
    assert.equal(svid.issuedAt, NOW);
    assert.deepEqual(svid.claims, { sub: SUBJECT, aud: ['audience'], exp: NOW + 60, iat: NOW });
  });

  const HS256 =
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c';
  const unparsable: [rule: string, text: string][] = [
    ['J-1: no token', 'invalid token'],
    ['J-1: JSON serialization', '{"payload":"e30","signatures":[]}'],
    ['J-3: HS256', HS256],
    ...['none', 'EdDSA', 'HS384', 'HS512', 'es256', ''].map((alg): [string, string] => [
      `J-3: alg "${alg}"`,
      `${encode({ alg })}.${encode({ sub: SUBJECT })}.c2ln`,
    ]),
    ['J-3: no alg', `${encode({})}.${encode({ sub: SUBJECT })}.c2ln`],
    [
      'J-2: crit, which we would have to understand',
      `${encode({ alg: 'ES384', crit: ['x'], x: 1 })}.e30.c2ln`,
    ],
    ['four parts', 'a.b.c.d'],
    ['garbage in three parts', 'x.y.z'],
  ];
  for (const [rule, text] of unparsable) {
    test(`${rule}: cannot be parsed`, async () => {
      const client = { kind: 'invalid', message: /^jwtsvid: unable to parse JWT token: ./ };
      await assert.rejects(verify(text), client);
      assert.throws(() => parseJwtSvidUnverified(text, ['audience'], NOW), client);
      await assert.rejects(verify(text, ['audience'], 'workload-api'), {
        kind: 'invalid',
        message: /^unable to parse JWT token: ./,
      });
    });
  }

  type Refusal = readonly [
    rule: string,
    changes: TokenChanges,
    client: string,
    /** Where its words are others; null: accepted. */
    workloadApi?: string | null,
  ];
  const refused: Refusal[] = [
    ['J-6: no sub', { claims: { sub: undefined } }, 'token missing subject claim'],
    ['J-9: no exp', { claims: { exp: undefined } }, 'token missing exp claim'],
    ['J-9: exp one minute past', { claims: { exp: NOW - 60 } }, 'token has expired'],
    [
      'J-6: sub that is no SPIFFE ID',
      { claims: { sub: 'invalid subject' } },
      'token has an invalid subject claim: scheme is missing or invalid',
      'token has in invalid subject claim: scheme is missing or invalid',
    ],
    [
      'J-5: another typ',
      { header: { typ: 'invalid' } },
      'token header type not equal to either JWT or JOSE',
      null,
    ],
    [
      'J-7: another audience',
      { claims: { aud: ['a', 'b'] } },
      'expected audience in ["audience"] (audience=["a" "b"])',
    ],
    [
      'J-7: no audience',
      { claims: { aud: undefined } },
      'expected audience in ["audience"] (audience=[])',
    ],
    [
      'J-7: an empty list',
      { claims: { aud: [] } },
      'expected audience in ["audience"] (audience=[])',
    ],
  ];
  for (const [rule, changes, client, workloadApi = client] of refused) {
    test(`${rule}: refused`, async () => {
      const text = await token(changes);
      await assert.rejects(verify(text), { kind: 'invalid', message: `jwtsvid: ${client}` });
      assert.throws(() => parseJwtSvidUnverified(text, ['audience'], NOW), {
        message: `jwtsvid: ${client}`,
      });
      const served = verify(text, ['audience'], 'workload-api');
      if (workloadApi === null) await served;
      else await assert.rejects(served, { kind: 'invalid', message: workloadApi });
    });
  }

  test('J-7: refuses a token without audience even where none is expected', async () => {
    const text = await token({ claims: { aud: undefined } });
    await assert.rejects(verify(text, []), {
      message: 'jwtsvid: expected audience in [] (audience=[])',
    });
  });

  const unverifiable: Refusal[] = [
    [
      'J-4: no kid (the reference demands it)',
      { header: { kid: undefined } },
      'token header missing key id',
    ],
    ['an empty kid', { header: { kid: '' } }, 'token header missing key id'],
    [
      'J-11: a trust domain without bundle',
      { claims: { sub: 'spiffe://another.domain/host' } },
      'no bundle found for trust domain "another.domain"',
      'no keys found for trust domain "another.domain"',
    ],
    [
      'J-11, J-14: a key that the bundle does not have',
      { header: { kid: 'noKey' } },
      'no JWT authority "noKey" found for trust domain "trustdomain"',
      'public key "noKey" not found in trust domain "trustdomain"',
    ],
    [
      'J-11: signed by another key',
      { header: { kid: 'authority1' }, signer: 'authority2' },
      'unable to get claims from token: go-jose/go-jose: error in cryptographic primitive',
      'go-jose/go-jose: error in cryptographic primitive',
    ],
  ];
  for (const [rule, changes, client, workloadApi = client] of unverifiable) {
    test(`${rule}: refused, but not by the insecure parse`, async () => {
      const text = await token(changes);
      await assert.rejects(verify(text), { kind: 'invalid', message: `jwtsvid: ${client}` });
      await assert.rejects(verify(text, ['audience'], 'workload-api'), {
        message: workloadApi ?? '',
      });
      assert.equal(parseJwtSvidUnverified(text, ['audience'], NOW).token, text);
    });
  }

  const early: [claims: Part, message: string][] = [
    [{ nbf: NOW + 61 }, 'go-jose/go-jose/jwt: validation failed, token not valid yet (nbf)'],
    [{ iat: NOW + 61 }, 'go-jose/go-jose/jwt: validation field, token issued in the future (iat)'],
  ];
  for (const [claims, message] of early) {
    test(`refuses a token of the future: ${Object.keys(claims).join('')}`, async () => {
      const text = await token({ claims });
      await assert.rejects(verify(text), { message });
      await assert.rejects(verify(text, ['audience'], 'workload-api'), { message });
      assert.throws(() => parseJwtSvidUnverified(text, ['audience'], NOW), { message });
    });
  }

  test('checks in the order of the reference', async () => {
    const wrong: TokenChanges[] = [
      { header: { typ: 'invalid' } },
      { claims: { sub: undefined } },
      { claims: { exp: undefined } },
      { claims: { sub: 'x' } },
      { header: { kid: undefined } },
      { claims: { aud: 'other' } },
      { claims: { nbf: NOW + 100 } },
      { claims: { exp: NOW - 100 } },
      { claims: { iat: NOW + 100 } },
    ];
    const first = await Promise.all(wrong.map(async (change) => reasonFor(await token(change))));
    for (const [index, change] of wrong.entries()) {
      for (const [later, other] of wrong.slice(index + 1).entries()) {
        const both = {
          header: { ...other.header, ...change.header },
          claims: { ...other.claims, ...change.claims },
        };
        assert.equal(await reasonFor(await token(both)), first[index], `${index} over ${later}`);
      }
    }
  });
  const reasonFor = (text: string): Promise<string> =>
    verify(text).then(
      () => 'accepted',
      (error: Error) => error.message,
    );

  const malformed: [what: string, claims: Part][] = [
    ['sub', { sub: 7 }],
    ['aud', { aud: [7] }],
    ['exp', { exp: '1' }],
    ['nbf', { nbf: {} }],
    ['iat', { iat: [] }],
  ];
  for (const [what, claims] of malformed) {
    test(`refuses ${what} of the wrong type`, async () => {
      await assert.rejects(verify(await token({ claims })), {
        message: `jwtsvid: unable to get claims from token: the claim "${what}" has the wrong type`,
      });
    });
  }

  test('refuses every change of one character', async () => {
    const text = await token();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 1),
        fc.constantFrom('A', 'z', '.', '-'),
        async (at, c) => {
          if (text[at] === c) return;
          const changed = text.slice(0, at) + c + text.slice(at + 1);
          await assert.rejects(verify(changed), { kind: 'invalid' });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("SPIRE's own JWT-SVIDs", () => {
  const data = join(import.meta.dirname, '../../test/data/fixtures/svid');
  const goldenTest = TrustDomain.parse('golden.test');

  const read = async () => {
    const [answer] = JSON.parse(await readFile(join(data, 'jwt.json'), 'utf8'));
    return {
      fetched: answer.svids[0].svid as string,
      minted: (await readFile(join(data, 'minted.jwt'), 'utf8')).trim(),
      bundle: readBundleDocument(goldenTest, await readFile(join(data, 'bundle.json'))),
    };
  };

  test('verify against the bundle document', async () => {
    const { fetched, minted, bundle } = await read();
    const web = await verifyJwtSvid(fetched, () => bundle, ['aud2'], 1_795_477_512);
    assert.equal(web.id.toString(), 'spiffe://golden.test/web');
    assert.deepEqual(web.audience, ['aud1', 'aud2']);
    const other = await verifyJwtSvid(minted, () => bundle, ['aud1'], 1_795_477_513);
    assert.equal(other.id.toString(), 'spiffe://golden.test/minted');
  });

  test('J-2: have alg, kid and typ in their header, and we write the same claims', async () => {
    const { fetched } = await read();
    const [header = '', payload = ''] = fetched.split('.');
    assert.deepEqual(Object.keys(decode(header)), ['alg', 'kid', 'typ']);
    const claims = jwtSvidClaims({
      id: SpiffeId.parse('spiffe://golden.test/web'),
      audience: ['aud1', '', 'aud2'],
      issuedAt: 1_795_477_512,
      expiresAt: 2_110_837_512,
    });
    assert.equal(JSON.stringify(claims), Buffer.from(payload, 'base64url').toString());
  });
});

describe('the claims of a JWT-SVID', () => {
  const id = SpiffeId.parse('spiffe://trustdomain/host');
  test('hold issuer and jti where they are given, in alphabetical order', () => {
    const claims = jwtSvidClaims({
      id,
      audience: ['a'],
      issuedAt: 1,
      expiresAt: 2,
      issuer: 'https://issuer',
      jti: 'x',
    });
    assert.deepEqual(Object.keys(claims), ['aud', 'exp', 'iat', 'iss', 'jti', 'sub']);
  });

  for (const audience of [[], [''], ['', '']]) {
    test(`need an audience: ${JSON.stringify(audience)}`, () => {
      assert.throws(() => jwtSvidClaims({ id, audience, issuedAt: 1, expiresAt: 2 }), {
        kind: 'invalid',
        message: 'invalid JWT-SVID audience: cannot be empty',
      });
    });
  }
});
