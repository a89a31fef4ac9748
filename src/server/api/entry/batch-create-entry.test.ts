import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { BatchCreateEntryRequestSchema } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { batchCreateEntry } from './batch-create-entry.ts';

type Entry = Init<typeof EntrySchema>;
const id = (path: string) => ({ trustDomain: 'example.org', path });
const uid = (value: number) => ({ type: 'unix', value: `uid:${value}` });
const entry = (fields: Entry = {}): Entry => ({
  spiffeId: id('/web'),
  parentId: id('/spire/agent/a'),
  selectors: [uid(1000)],
  ...fields,
});

apiSuite('BatchCreateEntry', (world) => {
  const batch = async (entries: Entry[], outputMask?: { spiffeId?: boolean }) => {
    const call = testCall();
    const request = create(BatchCreateEntryRequestSchema, {
      entries,
      ...(outputMask && { outputMask }),
    });
    const { results } = await batchCreateEntry(world.deps, request, call);
    return { call, results };
  };

  test('answers with selectors and DNS names sorted, and keeps them as they were given', async () => {
    const given = { selectors: [uid(2), uid(1)], dnsNames: ['b.test', 'a.test'] };
    const { results } = await batch([entry({ id: 'sorted', spiffeId: id('/sorted'), ...given })]);
    const [answer] = results.map((result) => result.entry);
    assert.deepEqual(answer?.selectors, [uid(1), uid(2)]);
    assert.deepEqual(answer?.dnsNames, ['a.test', 'b.test']);
    assert.deepEqual(world.deps.entries.get('sorted')?.dnsNames, ['b.test', 'a.test']);
  });

  test('makes the entries, in the order of the request', async () => {
    const { results, call } = await batch([
      entry({ id: 'first', spiffeId: id('/first') }),
      entry({ spiffeId: id('/second'), revisionNumber: 7n, createdAt: 7n }),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      [
        { code: 0, message: 'OK' },
        { code: 0, message: 'OK' },
      ],
    );
    const [first, second] = results.map((result) => result.entry);
    assert.equal(first?.id, 'first');
    assert.match(second?.id ?? '', /^[0-9a-f-]{36}$/);
    assert.equal(second?.revisionNumber, 0n);
    assert.equal(second?.createdAt, BigInt(world.clock.now() / 1000));
    assert.ok(world.deps.entries.get('first'));
    assert.equal(call.items.length, 2);
    assert.equal(call.items[0]?.fields['entry_id'], 'first');
  });

  test('a similar entry is answered with, and says so', async () => {
    const similar = entry({ spiffeId: id('/similar') });
    await batch([{ ...similar, id: 'stored' }]);
    const { results, call } = await batch([{ ...similar, id: 'another', hint: 'new' }]);
    assert.deepEqual(results[0]?.status, { code: 6, message: 'similar entry already exists' });
    assert.equal(results[0]?.entry?.id, 'stored');
    assert.equal(results[0]?.entry?.hint, '');
    assert.equal(call.items[0]?.refusal, 'similar entry already exists');
    assert.deepEqual(call.lines, [], 'SPIRE logs nothing of it');
  });

  test('a mask leaves the ID and what it names', async () => {
    const { results } = await batch([entry({ id: 'masked', spiffeId: id('/masked') })], {
      spiffeId: true,
    });
    assert.deepEqual(results[0]?.entry, { id: 'masked', spiffeId: id('/masked') });
  });

  test('federates with trust domains whose bundle is stored', async () => {
    await world.bundle('b.test');
    const { results } = await batch([
      entry({ spiffeId: id('/fed'), federatesWith: ['spiffe://b.test', 'b.test'] }),
    ]);
    assert.deepEqual(results[0]?.entry?.federatesWith, ['b.test']);
  });

  const reserved =
    '"spiffe://example.org/spire/x" is not a workload in trust domain "example.org"; path is in the reserved namespace';
  const refusals: [why: string, entry: Entry, code: number, message: string | RegExp][] = [
    [
      'without parent',
      { ...entry(), parentId: {} },
      3,
      'invalid parent ID: trust domain is missing',
    ],
    [
      'whose parent is in another trust domain',
      entry({ parentId: { trustDomain: 'other.test', path: '/x' } }),
      3,
      'invalid parent ID: "spiffe://other.test/x" is not a member of trust domain "example.org"',
    ],
    [
      'whose SPIFFE ID is malformed',
      entry({ spiffeId: id('no-slash') }),
      3,
      'invalid spiffe ID: path must have a leading slash',
    ],
    [
      'whose SPIFFE ID is reserved',
      entry({ spiffeId: id('/spire/x') }),
      3,
      `invalid spiffe ID: ${reserved}`,
    ],
    [
      'with a malformed DNS name',
      entry({ dnsNames: ['a..b'] }),
      3,
      /^invalid DNS name: idna error/,
    ],
    [
      'with a malformed trust domain',
      entry({ federatesWith: ['NO'] }),
      3,
      /^invalid federated trust domain: trust domain characters/,
    ],
    ['without selectors', entry({ selectors: [] }), 3, 'selector list is empty'],
    [
      'with a selector without value',
      entry({ selectors: [{ type: 'a' }] }),
      3,
      'missing selector value',
    ],
    [
      'whose hint is too long',
      entry({ hint: 'é'.repeat(513) }),
      3,
      'hint is too long, max length is 1024 characters',
    ],
  ];
  for (const [why, wanted, code, message] of refusals) {
    test(`refuses an entry ${why}`, async () => {
      const { results, call } = await batch([wanted]);
      const prefix = 'failed to convert entry: ';
      const text = results[0]?.status?.message ?? '';
      assert.equal(results[0]?.status?.code, code);
      assert.ok(text.startsWith(prefix), text);
      if (typeof message === 'string') assert.equal(text.slice(prefix.length), message);
      else assert.match(text.slice(prefix.length), message);
      assert.equal(results[0]?.entry, undefined);
      assert.equal(call.items[0]?.refusal, text);
    });
  }

  const stored: [why: string, entry: Entry, code: number, message: string][] = [
    [
      'whose ID has other characters',
      entry({ id: 'no spaces' }),
      3,
      'failed to create entry: datastore-validation: invalid registration entry: entry ID contains invalid characters',
    ],
    [
      'whose ID is too long',
      entry({ id: 'x'.repeat(256) }),
      3,
      'failed to create entry: datastore-validation: invalid registration entry: entry ID too long',
    ],
    [
      'with a negative TTL',
      entry({ spiffeId: id('/ttl'), x509SvidTtl: -1 }),
      3,
      'failed to create entry: datastore-validation: invalid registration entry: X509SvidTtl is not set',
    ],
    [
      'to be stored with mixed selector types',
      entry({
        spiffeId: id('/mixed'),
        storeSvid: true,
        selectors: [uid(1), { type: 'k8s', value: 'x' }],
      }),
      3,
      'failed to create entry: datastore-validation: invalid registration entry: selector types must be the same when store SVID is enabled',
    ],
    [
      'that federates with whom we do not know',
      entry({ spiffeId: id('/unknown'), federatesWith: ['unknown.test'] }),
      13,
      'failed to create entry: unable to find federated bundle "spiffe://unknown.test"',
    ],
    [
      'whose ID is taken',
      entry({ id: 'taken', spiffeId: id('/other') }),
      6,
      'failed to create entry: datastore-sql: UNIQUE constraint failed: registered_entries.entry_id',
    ],
  ];
  for (const [why, wanted, code, message] of stored) {
    test(`refuses an entry ${why}`, async () => {
      await batch([entry({ id: 'taken', spiffeId: id('/taken') })]);
      const { results } = await batch([wanted]);
      assert.deepEqual(results, [{ status: { code, message } }]);
    });
  }

  test('one refused entry leaves the others', async () => {
    const { results, call } = await batch([
      entry({ spiffeId: id('/spire/x') }),
      entry({ spiffeId: id('/good') }),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status?.code),
      [3, 0],
    );
    assert.deepEqual(
      call.items.map(({ refusal }) => refusal === undefined),
      [false, true],
    );
  });

  test('an empty batch has no results and no records', async () => {
    const { results, call } = await batch([]);
    assert.deepEqual(results, []);
    assert.deepEqual(call.items, []);
  });
});
