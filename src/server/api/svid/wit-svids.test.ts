import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { agentCaller, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { jwkFromPublicKey } from '../../../crypto/jose/jwk.ts';
import { parseJws } from '../../../crypto/jose/jws.ts';
import { generateKey } from '../../../crypto/keys.ts';
import {
  BatchNewWITSVIDRequestSchema,
  MintWITSVIDRequestSchema,
  MintWITSVIDResponseSchema,
} from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { rfc3339 } from '../audit-values.ts';
import { batchNewWitSvid } from './batch-new-wit-svid.ts';
import { mintWitSvid } from './mint-wit-svid.ts';

const HOUR = 3600;
const ed25519 = generateKeyPairSync('ed25519', {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
}).publicKey;

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(parseJws(token).payload).toString()) as Record<string, unknown>;

type Wanted = { path?: string; trustDomain?: string; publicKey?: Uint8Array; ttl?: number };

apiSuite(
  'MintWITSVID',
  (world) => {
    const mint = async (
      { path = '/w', trustDomain = 'example.org', publicKey, ttl = 0 }: Wanted = {},
      { call = testCall(), deps = world.deps, algorithm = 'ES256', withId = true } = {},
    ) => {
      const request = create(MintWITSVIDRequestSchema, {
        ...(withId && { id: { trustDomain, path } }),
        publicKey: publicKey ?? (await world.key()).publicKey.spki,
        signingAlgorithm: algorithm,
        ttl,
      });
      const answer = create(
        MintWITSVIDResponseSchema,
        (await mintWitSvid(deps, request, call)) as { svid?: object },
      );
      return { svid: answer.svid ?? assert.fail('no SVID'), call };
    };

    test('the token binds the key, and is signed with the WIT key of the bundle', async () => {
      const { svid, call } = await mint({ ttl: 60 });
      const now = world.clock.now() / 1000;
      const key = await world.key();
      const [authority] = world.ownBundle.witAuthorities;
      assert.equal(parseJws(svid.token).header['kid'], authority?.keyId);
      assert.deepEqual(claimsOf(svid.token), {
        cnf: { jwk: { ...jwkFromPublicKey(key.publicKey.spki), alg: 'ES256' } },
        exp: now + 60,
        iat: now,
        sub: 'spiffe://example.org/w',
      });
      assert.deepEqual(
        [svid.id?.path, svid.issuedAt, svid.expiresAt, svid.hint],
        ['/w', BigInt(now), BigInt(now + 60), ''],
      );
      assert.deepEqual(call.audited, { ttl: 60, spiffe_id: 'spiffe://example.org/w' });
      assert.deepEqual(call.lines, [
        {
          message: 'Server CA successfully signed WIT-SVID',
          fields: { spiffe_id: 'spiffe://example.org/w', expiration: rfc3339(now + 60) },
        },
      ]);
    });

    test('it lives an hour by default, and no longer than the key that signs', async () => {
      const now = BigInt(world.clock.now() / 1000);
      assert.equal((await mint()).svid.expiresAt, now + BigInt(HOUR));
      assert.equal((await mint({ ttl: -5 })).svid.expiresAt, now + BigInt(HOUR));
      assert.equal((await mint({ ttl: 48 * HOUR })).svid.expiresAt, now + BigInt(24 * HOUR));
    });

    const refusals: [why: string, wanted: Wanted, algorithm: string, message: string | RegExp][] = [
      [
        'an ID of elsewhere',
        { trustDomain: 'o.org' },
        'ES256',
        'invalid SPIFFE ID: "spiffe://o.org/w" is not a member of trust domain "example.org"',
      ],
      [
        'an ID without path',
        { path: '' },
        'ES256',
        'invalid SPIFFE ID: "spiffe://example.org" is not a workload in trust domain "example.org"; path is empty',
      ],
      [
        'a reserved ID',
        { path: '/spire/server' },
        'ES256',
        'invalid SPIFFE ID: "spiffe://example.org/spire/server" is not a workload in trust domain "example.org"; path is in the reserved namespace',
      ],
      ['no key', { publicKey: new Uint8Array() }, 'ES256', /^invalid public key: ./],
      ['no sound key', { publicKey: Uint8Array.of(1, 2) }, 'ES256', /^invalid public key: ./],
      [
        'an algorithm of other keys',
        {},
        'RS256',
        'invalid signing algorithm or key type: unsupported signing algorithm for ec-p256 key: RS256',
      ],
      [
        'a key that signs nothing',
        { publicKey: ed25519 },
        'EdDSA',
        "invalid signing algorithm or key type: unsupported key type 'ed25519.PublicKey'",
      ],
    ];
    for (const [why, wanted, algorithm, message] of refusals) {
      test(`refuses ${why}`, async () => {
        await assert.rejects(mint(wanted, { algorithm }), { kind: 'invalid', message });
      });
    }

    test('refuses a request without ID', async () => {
      await assert.rejects(mint({}, { withId: false }), {
        kind: 'invalid',
        message: 'invalid SPIFFE ID: request must specify SPIFFE ID',
      });
    });

    test('is refused without the feature flag', async () => {
      const call = testCall();
      await assert.rejects(mint({}, { deps: { ...world.deps, witSvidsEnabled: false }, call }), {
        kind: 'unimplemented',
        message: 'WIT functionality is disabled',
      });
      assert.deepEqual(call.audited, { ttl: 0 });
    });
  },
  { witKeyType: 'ec-p256' },
);

type Params = { entryId: string; publicKey: Uint8Array; signingAlgorithm: string };

apiSuite(
  'BatchNewWITSVID',
  (world) => {
    const batch = async (
      params: Params[],
      {
        call = testCall({ caller: agentCaller(world.id('/spire/agent/a')) }),
        deps = world.deps,
      } = {},
    ) => {
      const request = create(BatchNewWITSVIDRequestSchema, { params });
      const { results } = await batchNewWitSvid(deps, request, call);
      return { results, call };
    };
    const wanted = async (changed: Partial<Params> = {}): Promise<Params> => ({
      entryId: 'web',
      publicKey: (await world.key()).publicKey.spki,
      signingAlgorithm: 'ES256',
      ...changed,
    });

    before(async () => {
      await world.agent('a');
      const parentId = world.id('/spire/agent/a');
      await world.entry({
        id: 'web',
        spiffeId: world.id('/web'),
        parentId,
        x509SvidTtlSeconds: 120,
      });
      await world.entry({ id: 'plain', spiffeId: world.id('/plain'), parentId });
      await world.entry({
        id: 'other',
        spiffeId: world.id('/other'),
        parentId: world.id('/spire/agent/b'),
      });
    });

    test('takes ID and life from the entry, key and algorithm from the request', async () => {
      const key = await generateKey('rsa-2048');
      const now = world.clock.now() / 1000;
      const { results, call } = await batch([
        await wanted({ publicKey: key.publicKey.spki, signingAlgorithm: 'PS256' }),
        await wanted({ entryId: 'plain' }),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        [
          { code: 0, message: 'OK' },
          { code: 0, message: 'OK' },
        ],
      );
      const claims = claimsOf(results[0]?.svid?.token ?? '');
      assert.equal(claims['sub'], 'spiffe://example.org/web');
      assert.deepEqual(claims['cnf'], {
        jwk: { ...jwkFromPublicKey(key.publicKey.spki), alg: 'PS256' },
      });
      assert.deepEqual(
        results.map(({ svid }) => svid?.expiresAt),
        [BigInt(now + 120), BigInt(now + HOUR)],
      );
      assert.deepEqual(call.costs, [2]);
      assert.deepEqual(call.items, [
        {
          fields: { entry_id: 'web', spiffe_id: 'spiffe://example.org/web', expires_at: now + 120 },
          refusal: undefined,
        },
        {
          fields: {
            entry_id: 'plain',
            spiffe_id: 'spiffe://example.org/plain',
            expires_at: now + HOUR,
          },
          refusal: undefined,
        },
      ]);
    });

    const refusals: [
      why: string,
      changed: Partial<Params>,
      code: number,
      message: string | RegExp,
    ][] = [
      ['without entry ID', { entryId: '' }, 3, 'missing entry ID'],
      ['without key', { publicKey: new Uint8Array() }, 3, 'missing public key'],
      ['for an unknown entry', { entryId: 'none' }, 5, 'entry not found or not authorized'],
      [
        'for the entry of another agent',
        { entryId: 'other' },
        5,
        'entry not found or not authorized',
      ],
      ['whose key is none', { publicKey: Uint8Array.of(1) }, 3, /^malformed public key: ./],
      [
        'whose key does not sign so',
        { signingAlgorithm: 'ES384' },
        3,
        'invalid signing algorithm or key type: unsupported signing algorithm for ec-p256 key: ES384',
      ],
    ];
    for (const [why, changed, code, message] of refusals) {
      test(`refuses an item ${why}, and only that`, async () => {
        const { results, call } = await batch([await wanted(changed), await wanted()]);
        assert.equal(results[0]?.status?.code, code);
        const text = results[0]?.status?.message ?? '';
        if (typeof message === 'string') assert.equal(text, message);
        else assert.match(text, message);
        assert.equal(results[0]?.svid, undefined);
        assert.equal(results[1]?.status?.code, 0);
        assert.equal(call.items[0]?.refusal, text);
      });
    }

    test('without the feature flag nothing can be signed', async () => {
      const issuer = {
        ...world.deps.issuer,
        async workloadWitSvid(): Promise<never> {
          throw new Fault('internal', 'WIT key is not available for signing');
        },
      };
      const { results } = await batch([await wanted()], { deps: { ...world.deps, issuer } });
      assert.deepEqual(results[0]?.status, {
        code: 13,
        message: 'failed to sign WIT-SVID: WIT key is not available for signing',
      });
    });

    test('refuses an empty batch, which costs nothing', async () => {
      const call = testCall({ caller: agentCaller(world.id('/spire/agent/a')) });
      await assert.rejects(batch([], { call }), { kind: 'invalid', message: 'missing parameters' });
      assert.deepEqual(call.costs, []);
    });

    test('the rate limit comes before the entries', async () => {
      const exhausted = new Fault('exhausted', 'rate (501) exceeds burst size (500)');
      const call = testCall({ caller: agentCaller(world.id('/spire/agent/a')), exhausted });
      await assert.rejects(batch([await wanted()], { call }), {
        kind: 'exhausted',
        message:
          'rejecting request due to certificate signing rate limiting: rate (501) exceeds burst size (500)',
      });
    });

    test('nobody but an agent gets here', async () => {
      await assert.rejects(batch([await wanted()], { call: testCall() }), {
        kind: 'internal',
        message: 'caller ID missing from request context',
      });
    });
  },
  { witKeyType: 'ec-p384' },
);
