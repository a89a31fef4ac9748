import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { CountEntriesRequestSchema } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { countEntries } from './count-entries.ts';

apiSuite('CountEntries', (world) => {
  before(async () => {
    await world.entry({ spiffeId: world.id('/a') });
    await world.entry({ spiffeId: world.id('/b'), downstream: true });
  });

  const count = (init: Init<typeof CountEntriesRequestSchema>) =>
    countEntries(world.deps, create(CountEntriesRequestSchema, init), testCall());

  test('counts all entries', async () => {
    assert.deepEqual(await count({}), { count: 2 });
  });

  test('counts those that match', async () => {
    assert.deepEqual(await count({ filter: { byDownstream: true } }), { count: 1 });
    assert.deepEqual(await count({ filter: { byDownstream: false } }), { count: 2 });
    assert.deepEqual(await count({ filter: { byHint: 'none' } }), { count: 0 });
  });

  test('refuses a malformed filter', async () => {
    await assert.rejects(count({ filter: { byParentId: {} } }), {
      kind: 'invalid',
      message: 'malformed parent ID filter: trust domain is missing',
    });
  });

  test('refuses an unknown match', async () => {
    const bySelectors = { selectors: [{ type: 'a', value: 'b' }], match: 4 as never };
    await assert.rejects(count({ filter: { bySelectors } }), {
      kind: 'internal',
      message: 'failed to count entries: unhandled selectors match behavior',
    });
  });
});
