import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from './gate.ts';

/** Enters when called, leaves when told. */
function visitor(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    leave: resolve,
    visit: async () => {
      log.push(`${name} in`);
      await promise;
      log.push(`${name} out`);
    },
  };
}

const settle = () =>
  new Promise<void>((resolve) => {
    setImmediate(resolve);
  });

test('many share it; one that wants to be alone waits for them, and others wait for that one', async () => {
  const [gate, log] = [new Gate(), [] as string[]];
  const [a, b, alone, c] = ['a', 'b', 'alone', 'c'].map((name) => visitor(log, name));
  const done = [
    gate.share(a!.visit),
    gate.share(b!.visit),
    gate.alone(alone!.visit),
    gate.share(c!.visit),
  ];
  await settle();
  assert.deepEqual(log, ['a in', 'b in']);
  a!.leave();
  await settle();
  assert.deepEqual(log.slice(2), ['a out']);
  b!.leave();
  await settle();
  assert.deepEqual(log.slice(3), ['b out', 'alone in']);
  c!.leave();
  alone!.leave();
  await Promise.all(done);
  assert.deepEqual(log.slice(5), ['alone out', 'c in', 'c out']);
});

test('one after the other is alone', async () => {
  const [gate, log] = [new Gate(), [] as string[]];
  const [a, b] = ['a', 'b'].map((name) => visitor(log, name));
  const done = [gate.alone(a!.visit), gate.alone(b!.visit)];
  b!.leave();
  await settle();
  assert.deepEqual(log, ['a in']);
  a!.leave();
  await Promise.all(done);
  assert.deepEqual(log, ['a in', 'a out', 'b in', 'b out']);
});

test('a failure opens it again', async () => {
  const gate = new Gate();
  const fails = () => Promise.reject(new Error('no'));
  await assert.rejects(gate.alone(fails), { message: 'no' });
  await assert.rejects(gate.share(fails), { message: 'no' });
  assert.equal(await gate.alone(() => Promise.resolve(1)), 1);
});
