import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import {
  ListEntriesRequestSchema,
  ListEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { listEntries } from './list-entries.ts';

apiSuite('ListEntries', (world) => {
  before(async () => {
    await world.entry({ id: 'a', spiffeId: world.id('/a') });
    await world.entry({ id: 'b', spiffeId: world.id('/b'), downstream: true });
    await world.entry({ id: 'c', spiffeId: world.id('/c'), hint: 'internal' });
    await world.entry({ id: 'd', spiffeId: world.id('/d'), downstream: true });
  });

  const list = async (init: Init<typeof ListEntriesRequestSchema>) => {
    const request = create(ListEntriesRequestSchema, init);
    const { bytes } = await listEntries(world.deps, request, testCall());
    const { entries, nextPageToken } = fromBinary(ListEntriesResponseSchema, bytes);
    return { ids: entries.map(({ id }) => id), token: nextPageToken, entries };
  };

  test('answers with all entries in the order of their making', async () => {
    const { ids, token } = await list({});
    assert.deepEqual(ids, ['a', 'b', 'c', 'd']);
    assert.equal(token, '');
  });

  test('answers with those that match', async () => {
    const { ids } = await list({ filter: { byHint: 'internal' } });
    assert.deepEqual(ids, ['c']);
  });

  test('cuts pages, the last one empty', async () => {
    const pages: unknown[] = [];
    for (let pageToken = ''; ; ) {
      const { ids, token } = await list({ pageSize: 3, pageToken });
      pages.push(ids);
      if (!token) break;
      pageToken = token;
    }
    assert.deepEqual(pages, [['a', 'b', 'c'], ['d'], []]);
  });

  test('finds every downstream entry, however the pages are cut', async () => {
    const first = await list({ pageSize: 1, filter: { byDownstream: true } });
    assert.deepEqual(first.ids, ['b']);
    const second = await list({
      pageSize: 1,
      pageToken: first.token ?? '',
      filter: { byDownstream: true },
    });
    assert.deepEqual(second.ids, ['d']);
  });

  test('a mask leaves the ID and what it names', async () => {
    const { entries } = await list({ outputMask: { hint: true }, filter: { byHint: 'internal' } });
    assert.deepEqual(entries, [create(EntrySchema, { id: 'c', hint: 'internal' })]);
  });

  test('refuses a token that is none', async () => {
    await assert.rejects(list({ pageSize: 1, pageToken: 'x' }), {
      kind: 'internal',
      message:
        "failed to list entries: datastore-sql: rpc error: code = InvalidArgument desc = could not parse token 'x'",
    });
  });

  test('refuses a malformed filter', async () => {
    await assert.rejects(list({ filter: { bySelectors: {} } }), {
      kind: 'invalid',
      message: 'malformed selectors filter: empty selector set',
    });
  });
});
