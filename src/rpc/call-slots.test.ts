import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallSlots } from './call-slots.ts';

test('who comes when all are taken waits for the first that is given back', async () => {
  const slots = new CallSlots(2);
  const [first, second, third, fourth] = [slots.take(), slots.take(), slots.take(), slots.take()];
  assert.equal(first.ready, undefined);
  assert.equal(second.ready, undefined);
  const order: number[] = [];
  void third.ready?.then(() => order.push(3));
  void fourth.ready?.then(() => order.push(4));
  second.release();
  second.release(); // counts once
  await third.ready;
  assert.deepEqual(order, [3]);
  third.release();
  await fourth.ready;
  assert.deepEqual(order, [3, 4]);
});

test('who gives up waiting takes no place', async () => {
  const slots = new CallSlots(1);
  const [held, impatient, patient] = [slots.take(), slots.take(), slots.take()];
  impatient.release();
  await impatient.ready; // so that the call sees that it is over
  held.release();
  await patient.ready;
  patient.release();
  assert.equal(slots.take().ready, undefined);
  assert.notEqual(slots.take().ready, undefined);
});
