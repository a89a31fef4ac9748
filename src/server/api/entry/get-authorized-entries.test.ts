import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { agentCaller, type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import {
  GetAuthorizedEntriesRequestSchema,
  GetAuthorizedEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { getAuthorizedEntries } from './get-authorized-entries.ts';

apiSuite('GetAuthorizedEntries', (world) => {
  before(async () => {
    await world.agent('a', { selectors: [{ type: 'x509pop', value: 'cn:a' }] });
    await world.agent('b');
    const parentId = world.id('/spire/agent/a');
    await world.entry({ id: 'web', spiffeId: world.id('/web'), parentId, hint: 'h' });
    await world.entry({ id: 'nested', spiffeId: world.id('/nested'), parentId: world.id('/web') });
    await world.entry({
      id: 'alias',
      spiffeId: world.id('/nodes'),
      parentId: world.id('/spire/server'),
      selectors: [{ type: 'x509pop', value: 'cn:a' }],
    });
    await world.entry({ id: 'by-alias', spiffeId: world.id('/db'), parentId: world.id('/nodes') });
    await world.entry({
      id: 'other',
      spiffeId: world.id('/other'),
      parentId: world.id('/spire/agent/c'),
    });
  });

  const get = async (agent: string, init: Init<typeof GetAuthorizedEntriesRequestSchema> = {}) => {
    const call = testCall({ caller: agentCaller(world.id(`/spire/agent/${agent}`)) });
    const request = create(GetAuthorizedEntriesRequestSchema, init);
    const { bytes } = await getAuthorizedEntries(world.deps, request, call);
    return fromBinary(GetAuthorizedEntriesResponseSchema, bytes).entries;
  };

  test('an agent gets what is below itself, its entries and its aliases', async () => {
    const entries = await get('a');
    assert.deepEqual(new Set(entries.map(({ id }) => id)), new Set(['web', 'nested', 'by-alias']));
    assert.equal(entries.find(({ id }) => id === 'web')?.hint, 'h');
  });

  test('a mask leaves the ID and what it names', async () => {
    const [entry] = (await get('a', { outputMask: { hint: true } })).filter(
      ({ id }) => id === 'web',
    );
    assert.equal(entry?.hint, 'h');
    assert.equal(entry?.spiffeId, undefined);
    assert.deepEqual(entry?.selectors, []);
  });

  test('a new revision is seen', async () => {
    await get('a');
    const web = world.deps.entries.get('web');
    assert.ok(web);
    await world.deps.entries.update({ ...web, hint: 'changed' }, new Set(['hint']));
    const entries = await get('a');
    assert.equal(entries.find(({ id }) => id === 'web')?.hint, 'changed');
  });

  test('an agent without entries gets none', async () => {
    assert.deepEqual(await get('b'), []);
  });

  test('nobody but an agent gets here', async () => {
    const request = create(GetAuthorizedEntriesRequestSchema, {});
    await assert.rejects(getAuthorizedEntries(world.deps, request, testCall()), {
      kind: 'internal',
      message: 'caller ID missing from request context',
    });
  });
});
