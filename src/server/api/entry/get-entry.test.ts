import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { GetEntryRequestSchema } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { getEntry } from './get-entry.ts';

apiSuite('GetEntry', (world) => {
  before(async () => {
    await world.entry({ id: 'web', spiffeId: world.id('/web'), hint: 'internal' });
  });

  const get = (init: Init<typeof GetEntryRequestSchema>, call = testCall()) =>
    getEntry(world.deps, create(GetEntryRequestSchema, init), call);

  test('answers with the entry, and audits its ID', async () => {
    const call = testCall();
    const entry = await get({ id: 'web' }, call);
    assert.ok('id' in entry);
    assert.equal(entry.id, 'web');
    assert.deepEqual(entry.spiffeId, { trustDomain: 'example.org', path: '/web' });
    assert.equal(entry.createdAt, BigInt(world.clock.now() / 1000));
    assert.deepEqual(call.audited, { entry_id: 'web' });
  });

  test('answers with the fields of the mask', async () => {
    assert.deepEqual(await get({ id: 'web', outputMask: { hint: true } }), {
      id: 'web',
      hint: 'internal',
    });
  });

  test('refuses a request without ID', async () => {
    await assert.rejects(get({}), { kind: 'invalid', message: 'missing ID' });
  });

  test('does not find what is not there', async () => {
    await assert.rejects(get({ id: 'other' }), { kind: 'not-found', message: 'entry not found' });
  });
});
