import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { BatchUpdateEntryRequestSchema } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryMaskSchema, EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { batchUpdateEntry } from './batch-update-entry.ts';

type Entry = Init<typeof EntrySchema>;
type Mask = Init<typeof EntryMaskSchema>;
const id = (path: string) => ({ trustDomain: 'example.org', path });

apiSuite('BatchUpdateEntry', (world) => {
  const update = async (entry: Entry, inputMask?: Mask, outputMask?: Mask) => {
    const call = testCall();
    const request = create(BatchUpdateEntryRequestSchema, {
      entries: [entry],
      ...(inputMask && { inputMask }),
      ...(outputMask && { outputMask }),
    });
    const { results } = await batchUpdateEntry(world.deps, request, call);
    return { call, result: results[0] };
  };

  const whole = (name: string, fields: Entry = {}): Entry => ({
    id: name,
    spiffeId: id(`/${name}`),
    parentId: id('/spire/agent/b'),
    selectors: [{ type: 'unix', value: 'uid:2000' }],
    ...fields,
  });

  test('without a mask replaces everything', async () => {
    await world.entry({ id: 'all', spiffeId: world.id('/all'), hint: 'old', admin: true });
    const { result, call } = await update(whole('all', { hint: 'new', jwtSvidTtl: 60 }));
    assert.deepEqual(result?.status, { code: 0, message: 'OK' });
    assert.equal(result?.entry?.hint, 'new');
    assert.equal(result?.entry?.admin, false);
    assert.equal(result?.entry?.revisionNumber, 1n);
    assert.deepEqual(result?.entry?.parentId, id('/spire/agent/b'));
    assert.equal(world.deps.entries.get('all')?.jwtSvidTtlSeconds, 60);
    assert.equal(call.items[0]?.fields['hint'], 'new');
  });

  test('with a mask replaces what it names, and looks at nothing else', async () => {
    await world.entry({ id: 'part', spiffeId: world.id('/part'), hint: 'old' });
    const { result, call } = await update({ id: 'part', hint: 'new' }, { hint: true });
    assert.equal(result?.entry?.hint, 'new');
    assert.deepEqual(result?.entry?.spiffeId, id('/part'));
    assert.deepEqual(call.items[0]?.fields, { entry_id: 'part', hint: 'new' });
  });

  test('answers with sorted lists, and stores them as given', async () => {
    await world.entry({ id: 'lists', spiffeId: world.id('/lists') });
    const selectors = [
      { type: 'z', value: 'z' },
      { type: 'a', value: 'b:c' },
    ];
    const { result } = await update(whole('lists', { selectors, dnsNames: ['z.test', 'a.test'] }));
    assert.deepEqual(result?.entry?.selectors, selectors.toReversed());
    assert.deepEqual(result?.entry?.dnsNames, ['a.test', 'z.test']);
    assert.deepEqual(world.deps.entries.get('lists')?.selectors, selectors);
    assert.deepEqual(world.deps.entries.get('lists')?.dnsNames, ['z.test', 'a.test']);
  });

  test('an empty mask still makes a revision', async () => {
    await world.entry({ id: 'none', spiffeId: world.id('/none') });
    const { result } = await update({ id: 'none' }, {});
    assert.equal(result?.entry?.revisionNumber, 1n);
  });

  test('an output mask leaves the ID and what it names', async () => {
    await world.entry({ id: 'out', spiffeId: world.id('/out') });
    const { result } = await update({ id: 'out', hint: 'h' }, { hint: true }, { hint: true });
    assert.deepEqual(result?.entry, { id: 'out', hint: 'h' });
  });

  const refusals: [
    why: string,
    entry: Entry,
    mask: Mask | undefined,
    code: number,
    message: string,
  ][] = [
    ['that is not there', whole('missing'), undefined, 5, 'failed to update entry'],
    ['without ID', { hint: 'x' }, { hint: true }, 5, 'failed to update entry'],
    [
      'without its parent where all is replaced',
      { id: 'x' },
      undefined,
      3,
      'failed to convert entry: invalid parent ID: request must specify SPIFFE ID',
    ],
    [
      'to have no selectors',
      { id: 'x' },
      { selectors: true },
      3,
      'failed to convert entry: selector list is empty',
    ],
    [
      'to have a reserved ID',
      { id: 'x', spiffeId: id('/spire') },
      { spiffeId: true },
      3,
      'failed to convert entry: invalid spiffe ID: "spiffe://example.org/spire" is not a workload in trust domain "example.org"; path is in the reserved namespace',
    ],
    [
      'to federate with whom we do not know',
      { id: 'stored', federatesWith: ['unknown.test'] },
      { federatesWith: true },
      13,
      'failed to update entry: unable to find federated bundle "spiffe://unknown.test"',
    ],
    [
      'to have a negative TTL',
      { id: 'stored', x509SvidTtl: -1 },
      { x509SvidTtl: true },
      3,
      'failed to update entry: datastore-validation: invalid registration entry: X509SvidTtl is not set',
    ],
  ];
  for (const [why, entry, mask, code, message] of refusals) {
    test(`refuses an entry ${why}`, async () => {
      await world.entry({ id: 'stored', spiffeId: world.id('/stored') });
      const { result, call } = await update(entry, mask);
      assert.deepEqual(result, { status: { code, message } });
      assert.equal(call.items[0]?.refusal, message);
      assert.equal(world.deps.entries.get('stored')?.revisionNumber, 0);
    });
  }
});
