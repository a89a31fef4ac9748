import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { agentCaller, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite, damaged } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { BatchNewX509SVIDRequestSchema } from '../../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { rfc3339, sha256Hex } from '../audit-values.ts';
import { batchNewX509Svid } from './batch-new-x509-svid.ts';

type Params = { entryId: string; csr: Uint8Array };

apiSuite('BatchNewX509SVID', (world) => {
  const caller = () => agentCaller(world.id('/spire/agent/a'));
  const batch = async (
    params: Params[],
    { call = testCall({ caller: caller() }), deps = world.deps } = {},
  ) => {
    const request = create(BatchNewX509SVIDRequestSchema, { params });
    const { results } = await batchNewX509Svid(deps, request, call);
    return { results, call };
  };

  before(async () => {
    await world.agent('a');
    const parentId = world.id('/spire/agent/a');
    await world.entry({
      id: 'web',
      spiffeId: world.id('/web'),
      parentId,
      dnsNames: ['web.test', 'www.test'],
      x509SvidTtlSeconds: 120,
    });
    await world.entry({ id: 'reserved', spiffeId: world.id('/spire/x'), parentId });
    await world.entry({
      id: 'other',
      spiffeId: world.id('/other'),
      parentId: world.id('/spire/agent/b'),
    });
    for (let n = 0; n < 40; n++) {
      await world.entry({ id: `e${n}`, spiffeId: world.id(`/e${n}`), parentId });
    }
  });

  test('takes everything but the key from the entry', async () => {
    const key = await generateKey('ec-p384');
    const csr = await world.csr(
      { uris: ['spiffe://other.test/evil'], dnsNames: ['evil.test'] },
      key,
    );
    const { results, call } = await batch([{ entryId: 'web', csr }]);
    assert.deepEqual(results[0]?.status, { code: 0, message: 'OK' });
    const leaf = parseCertificate(results[0]?.svid?.certChain?.[0] ?? new Uint8Array());
    assert.deepEqual(leaf.uris, ['spiffe://example.org/web']);
    assert.deepEqual(leaf.dnsNames, ['web.test', 'www.test']);
    assert.deepEqual(Buffer.from(leaf.spki), Buffer.from(key.publicKey.spki));
    assert.equal(leaf.notAfter, world.clock.now() / 1000 + 120);
    assert.deepEqual(results[0]?.svid?.id, { trustDomain: 'example.org', path: '/web' });
    assert.equal(results[0]?.svid?.expiresAt, BigInt(leaf.notAfter));
    assert.deepEqual(call.costs, [1]);
    assert.deepEqual(call.items, [
      {
        fields: {
          csr: sha256Hex(csr),
          entry_id: 'web',
          spiffe_id: 'spiffe://example.org/web',
          expires_at: leaf.notAfter,
        },
        refusal: undefined,
      },
    ]);
    assert.deepEqual(call.lines, [
      {
        message: 'Signed X509 SVID',
        fields: {
          spiffe_id: 'spiffe://example.org/web',
          serial_num: String(leaf.serialNumber),
          expiration: rfc3339(leaf.notAfter),
          entry_id: 'web',
          revision_number: 0,
        },
      },
    ]);
  });

  test('an entry may have a reserved ID', async () => {
    const { results } = await batch([{ entryId: 'reserved', csr: await world.csr() }]);
    assert.equal(results[0]?.status?.code, 0);
  });

  test('keeps the order of the request, and costs as much as it is long', async () => {
    const csr = await world.csr();
    const ids = Array.from({ length: 40 }, (_, n) => `e${(n * 7) % 40}`);
    const { results, call } = await batch(ids.map((entryId) => ({ entryId, csr })));
    assert.deepEqual(
      results.map(({ svid }) => svid?.id?.path),
      ids.map((id) => `/${id}`),
    );
    assert.deepEqual(
      call.items.map(({ fields }) => fields['entry_id']),
      ids,
    );
    assert.deepEqual(call.costs, [40]);
    const serials = results.map(
      ({ svid }) => parseCertificate(svid?.certChain?.[0] ?? new Uint8Array()).serialNumber,
    );
    assert.equal(new Set(serials).size, 40);
  });

  const refusals: [
    why: string,
    entryId: string,
    csr: () => Promise<Uint8Array>,
    code: number,
    message: string | RegExp,
  ][] = [
    ['without entry ID', '', () => world.csr(), 3, 'missing entry ID'],
    ['without CSR', 'web', async () => new Uint8Array(), 3, 'missing CSR'],
    ['for an unknown entry', 'none', () => world.csr(), 5, 'entry not found or not authorized'],
    [
      'for the entry of another agent',
      'other',
      () => world.csr(),
      5,
      'entry not found or not authorized',
    ],
    ['whose CSR is none', 'web', async () => Buffer.from('no'), 3, /^malformed CSR: ./],
    [
      'whose CSR has a wrong signature',
      'web',
      async () => damaged(await world.csr()),
      3,
      /^invalid CSR signature: ./,
    ],
  ];
  for (const [why, entryId, csr, code, message] of refusals) {
    test(`refuses an item ${why}, and only that`, async () => {
      const bytes = await csr();
      const { results, call } = await batch([
        { entryId, csr: bytes },
        { entryId: 'web', csr: await world.csr() },
      ]);
      assert.equal(results[0]?.status?.code, code);
      const text = results[0]?.status?.message ?? '';
      if (typeof message === 'string') assert.equal(text, message);
      else assert.match(text, message);
      assert.equal(results[0]?.svid, undefined);
      assert.equal(results[1]?.status?.code, 0);
      assert.deepEqual(call.items[0], {
        fields: { csr: sha256Hex(bytes), entry_id: entryId, spiffe_id: '' },
        refusal: text,
      });
    });
  }

  test('a CA that cannot sign is told of', async () => {
    const issuer = {
      ...world.deps.issuer,
      async workloadX509Svid(): Promise<never> {
        throw new Fault('internal', 'X509 CA is not available for signing');
      },
    };
    const params = [{ entryId: 'web', csr: await world.csr() }];
    const { results } = await batch(params, { deps: { ...world.deps, issuer } });
    assert.deepEqual(results[0]?.status, {
      code: 13,
      message: 'failed to sign X509-SVID: X509 CA is not available for signing',
    });
  });

  test('refuses an empty batch, which costs nothing', async () => {
    const call = testCall({ caller: caller() });
    await assert.rejects(batch([], { call }), { kind: 'invalid', message: 'missing parameters' });
    assert.deepEqual(call.costs, []);
  });

  test('the rate limit comes before the entries', async () => {
    const exhausted = new Fault('exhausted', 'rate (501) exceeds burst size (500)');
    const call = testCall({ caller: caller(), exhausted });
    await assert.rejects(batch([{ entryId: 'web', csr: new Uint8Array() }], { call }), {
      kind: 'exhausted',
      message:
        'rejecting request due to certificate signing rate limiting: rate (501) exceeds burst size (500)',
    });
  });

  test('nobody but an agent gets here', async () => {
    await assert.rejects(batch([{ entryId: 'web', csr: new Uint8Array() }], { call: testCall() }), {
      kind: 'internal',
      message: 'caller ID missing from request context',
    });
  });
});
