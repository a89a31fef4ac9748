import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { repeat } from './repeat.ts';

test('a task runs after each pause until the signal aborts', async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  let runs = 0;
  const repeated = repeat({ clock, signal: stop.signal, milliseconds: 1000 }, async () => {
    runs++;
  });
  await clock.advance({ milliseconds: 999 });
  assert.equal(runs, 0);
  await clock.advance({ milliseconds: 1 });
  assert.equal(runs, 1);
  await clock.advance({ seconds: 5 });
  assert.equal(runs, 6);
  stop.abort();
  await repeated;
  assert.equal(clock.sleepers, 0);
});

test('a task that fails ends the repetition with its error', async () => {
  const clock = new VirtualClock();
  const { signal } = new AbortController();
  const repeated = repeat({ clock, signal, milliseconds: 1 }, () =>
    Promise.reject(new Error('broken')),
  );
  const refused = assert.rejects(repeated, /broken/);
  await clock.advance({ milliseconds: 1 });
  await refused;
});

test('the pause is asked for anew each time', async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const pauses = [10, 1000];
  let runs = 0;
  const options = { clock, signal: stop.signal, milliseconds: () => pauses.shift() ?? 10_000 };
  const repeated = repeat(options, async () => {
    runs++;
  });
  await clock.advance({ milliseconds: 10 });
  assert.equal(runs, 1);
  await clock.advance({ milliseconds: 999 });
  assert.equal(runs, 1);
  await clock.advance({ milliseconds: 1 });
  assert.equal(runs, 2);
  stop.abort();
  await repeated;
});
