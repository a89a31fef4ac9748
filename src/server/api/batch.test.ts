import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { testCall } from '../../../test/kit/api-call.ts';
import { Fault } from '../../base/fault.ts';
import { answerEach } from './batch.ts';

const refused = (item: number, { code, message }: { code: number; message: string }) =>
  `${item}: ${code} ${message}`;

test('an item that fails fails alone', async () => {
  const call = testCall();
  const results = await answerEach(call, [1, 2, 3], {
    async act(item, batch) {
      batch.audit({ item, entry_id: `e${item}` });
      if (item === 2) throw new Fault('not-found', 'entry not found');
      return `${item} done`;
    },
    refused,
  });
  assert.deepEqual(results, ['1 done', '2: 5 entry not found', '3 done']);
  assert.deepEqual(call.items, [
    { fields: { item: 1, entry_id: 'e1' }, refusal: undefined },
    { fields: { item: 2, entry_id: 'e2' }, refusal: 'entry not found' },
    { fields: { item: 3, entry_id: 'e3' }, refusal: undefined },
  ]);
  assert.deepEqual(
    call.lines.map(({ message, fields }) => [message, fields['entry_id']]),
    [['Entry not found', 'e2']],
  );
});

test('a bug in one item is answered as Unknown', async () => {
  const results = await answerEach(testCall(), [1], {
    act: async () => {
      throw new TypeError('a bug');
    },
    refused,
  });
  assert.deepEqual(results, ['1: 2 a bug']);
});

test('items that write are handled one after the other', async () => {
  let running = 0;
  await answerEach(testCall(), [1, 2, 3], {
    async act() {
      running += 1;
      await turn();
      assert.equal(running, 1);
      running -= 1;
    },
    refused: () => assert.fail(),
  });
});

test('items at once keep their order in answer and audit log, and their bound', async () => {
  const call = testCall();
  let running = 0;
  let most = 0;
  const items = [5, 1, 4, 2, 3, 1, 2];
  const results = await answerEach(call, items, {
    async act(turns, batch) {
      running += 1;
      most = Math.max(most, running);
      batch.audit({ turns });
      for (let n = 0; n < turns; n++) await turn();
      running -= 1;
      return turns;
    },
    refused: () => assert.fail(),
    atOnce: 3,
  });
  assert.deepEqual(results, items);
  assert.deepEqual(
    call.items.map(({ fields }) => fields['turns']),
    items,
  );
  assert.equal(most, 3);
});

test('an item may be refused and answered all the same', async () => {
  const call = testCall();
  const results = await answerEach(call, ['a'], {
    act: async (_, batch) => batch.refused(new Fault('already-exists', 'similar')),
    refused: () => assert.fail(),
  });
  assert.deepEqual(results, [{ code: 6, message: 'similar' }]);
  assert.equal(call.items[0]?.refusal, 'similar');
});

test('an empty batch leaves no record', async () => {
  const call = testCall();
  assert.deepEqual(await answerEach(call, [], { act: async () => 1, refused: () => 2 }), []);
  assert.deepEqual(call.items, []);
});
