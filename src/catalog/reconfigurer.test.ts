import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../ops/log.ts';
import { createReconfigurer } from './reconfigurer.ts';

test('rounds come one after another; what is asked for during one is one more', async () => {
  const reconfigurer = createReconfigurer(silentLog);
  const events: string[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let round = 0;
  reconfigurer.add({
    async reconfigure() {
      const mine = round++;
      events.push(`begin ${mine}`);
      await gates[mine]?.promise;
      events.push(`end ${mine}`);
    },
  });
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  reconfigurer.reconfigure();
  reconfigurer.reconfigure();
  reconfigurer.reconfigure();
  await settled();
  assert.deepEqual(events, ['begin 0']);
  gates[0]?.resolve();
  await settled();
  assert.deepEqual(events, ['begin 0', 'end 0', 'begin 1']);
  gates[1]?.resolve();
  await settled();
  assert.deepEqual(events, ['begin 0', 'end 0', 'begin 1', 'end 1']);
  reconfigurer.reconfigure();
  await settled();
  assert.deepEqual(events.slice(4), ['begin 2', 'end 2']);
});
