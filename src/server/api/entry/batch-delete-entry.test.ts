import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { batchDeleteEntry } from './batch-delete-entry.ts';

apiSuite('BatchDeleteEntry', (world) => {
  test('deletes entries, and says of each what became of it', async () => {
    await world.entry({ id: 'web', spiffeId: world.id('/web') });
    const call = testCall();
    const { results } = await batchDeleteEntry(world.deps, { ids: ['web', '', 'other'] }, call);
    assert.deepEqual(results, [
      { status: { code: 0, message: 'OK' }, id: 'web' },
      { status: { code: 3, message: 'missing entry ID' }, id: '' },
      { status: { code: 5, message: 'entry not found' }, id: 'other' },
    ]);
    assert.equal(world.deps.entries.get('web'), undefined);
    assert.deepEqual(
      call.items.map(({ fields, refusal }) => [fields['entry_id'], refusal]),
      [
        ['web', undefined],
        ['', 'missing entry ID'],
        ['other', 'entry not found'],
      ],
    );
  });

  test('the same entry twice is gone the second time', async () => {
    await world.entry({ id: 'twice', spiffeId: world.id('/twice') });
    const { results } = await batchDeleteEntry(world.deps, { ids: ['twice', 'twice'] }, testCall());
    assert.deepEqual(
      results.map(({ status }) => status?.code),
      [0, 5],
    );
  });

  test('a failing datastore is told of', async () => {
    const entries = {
      async delete() {
        throw new Fault('unknown', 'datastore-sql: database is locked');
      },
    };
    const { results } = await batchDeleteEntry({ entries }, { ids: ['web'] }, testCall());
    assert.deepEqual(results[0]?.status, {
      code: 13,
      message: 'failed to delete entry: datastore-sql: database is locked',
    });
  });
});
