import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { startClockWatch } from './clock-watch.ts';

function start(t: TestContext) {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const watch = startClockWatch({ clock, log: recordingLog(lines) });
  t.after(() => watch[Symbol.asyncDispose]());
  return { clock, lines, watch };
}

test('time that runs evenly is steady', async (t) => {
  const { clock, lines, watch } = start(t);
  assert.ok(watch.isSteady());
  await clock.advance({ seconds: 100_000 });
  assert.ok(watch.isSteady());
  assert.deepEqual(lines, []);
});

const jumps: readonly [what: string, seconds: number, message: RegExp, by: string][] = [
  ['forward', 86_400, /^The clock was set forward, or this machine was asleep; /, '24h0m0s'],
  ['back', -3600, /^The clock was set back; /, '1h0m0s'],
];
for (const [what, seconds, message, by] of jumps) {
  test(`a clock that is set ${what} is in doubt at once, told once, and steady an hour later`, async (t) => {
    const { clock, lines, watch } = start(t);
    await clock.advance({ seconds: 15 });
    clock.jump({ seconds });
    assert.equal(watch.isSteady(), false);
    await clock.advance({ seconds: 3590 });
    assert.equal(watch.isSteady(), false);
    assert.equal(lines.length, 1);
    assert.match(lines[0]?.message ?? '', message);
    assert.deepEqual(lines[0]?.fields, { by });
    await clock.advance({ seconds: 30 });
    assert.ok(watch.isSteady());
  });
}

test('a correction of seconds is none', async (t) => {
  const { clock, lines, watch } = start(t);
  for (const seconds of [30, -30, 50]) {
    clock.jump({ seconds });
    await clock.advance({ seconds: 20 });
    assert.ok(watch.isSteady());
  }
  assert.deepEqual(lines, []);
});

test('a second jump begins the hour anew', async (t) => {
  const { clock, lines, watch } = start(t);
  clock.jump({ seconds: 7200 });
  await clock.advance({ seconds: 3000 });
  clock.jump({ seconds: -7200 });
  await clock.advance({ seconds: 3000 });
  assert.equal(watch.isSteady(), false);
  assert.equal(lines.length, 2);
  await clock.advance({ seconds: 700 });
  assert.ok(watch.isSteady());
});
