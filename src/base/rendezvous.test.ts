import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rendezvous } from './rendezvous.ts';

test('a giver waits until its item is taken', async () => {
  const meeting = new Rendezvous<string>();
  let given = false;
  const giving = meeting.give('a').then((taken) => {
    given = true;
    return taken;
  });
  await Promise.resolve();
  assert.equal(given, false);
  assert.equal(await meeting.take(), 'a');
  assert.equal(await giving, true);
});

test('the taker waits for a giver, and takes in the order of the offers', async () => {
  const meeting = new Rendezvous<number>();
  const first = meeting.take();
  const gifts = [meeting.give(1), meeting.give(2), meeting.give(3)];
  assert.deepEqual([await first, await meeting.take(), await meeting.take()], [1, 2, 3]);
  assert.deepEqual(await Promise.all(gifts), [true, true, true]);
});

test('when the taker leaves, givers hear that nothing was taken', async () => {
  const meeting = new Rendezvous<string>();
  const waiting = meeting.give('a');
  meeting.close();
  assert.equal(await waiting, false);
  assert.equal(await meeting.give('b'), false);
});

test('the taker hears why a giver gives no more, also while it waits', async () => {
  const meeting = new Rendezvous<string>();
  const taking = meeting.take();
  meeting.fail(new Error('broken'));
  meeting.fail(new Error('broken again'));
  await assert.rejects(taking, { message: 'broken' });
  await assert.rejects(meeting.take(), { message: 'broken' });
  assert.equal(await meeting.give('late'), false);
});
