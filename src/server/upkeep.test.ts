import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { unixSeconds } from '../base/clock.ts';
import { alwaysSteady } from '../ops/clock-watch.ts';
import { noMetrics } from '../ops/metrics.ts';
import type { Entry } from '../spiffe/entry.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { startUpkeep, type UpkeepDeps } from './upkeep.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;

const expired = {
  id: 'one',
  spiffeId: SpiffeId.parse('spiffe://example.org/web'),
  parentId: SpiffeId.parse('spiffe://example.org/node'),
} as Entry;

/** Stores that note what they are asked for, seconds after the start. */
function start(t: TestContext, changed: Partial<UpkeepDeps> = {}) {
  const clock = new VirtualClock();
  const begin = unixSeconds(clock);
  const lines: LogLine[] = [];
  const asked: unknown[] = [];
  const note = (what: string, before: number, more = {}) => {
    asked.push({ at: unixSeconds(clock) - begin, what, before: before - begin, ...more });
  };
  const upkeep = startUpkeep({
    entries: {
      pruneExpired: async (before) => {
        note('entries', before);
        return [expired];
      },
    },
    agents: {
      pruneExpired: async ({ beforeUnixSeconds, ...rule }) => {
        note('agents', beforeUnixSeconds, rule);
        return [expired.parentId, expired.parentId];
      },
    },
    datastore: { pruneEvents: async (before) => note('events', before) },
    nodePruning: undefined,
    pruneEventsOlderThanSeconds: 100 * HOUR,
    metrics: noMetrics,
    clock,
    clockWatch: alwaysSteady,
    random: () => 0.5,
    log: recordingLog(lines),
    ...changed,
  });
  t.after(() => upkeep[Symbol.asyncDispose]());
  return { clock, lines, asked };
}

test('expired entries go every five minutes, with a line each', async (t) => {
  const { clock, lines, asked } = start(t);
  await clock.advance({ seconds: 5 * MINUTE - 1 });
  assert.deepEqual(asked, []);
  await clock.advance({ seconds: 1 });
  assert.deepEqual(asked, [{ at: 300, what: 'entries', before: 300 }]);
  assert.deepEqual(lines, [
    {
      message: 'Pruned an expired registration',
      fields: {
        subsystem_name: 'registration_manager',
        spiffe_id: 'spiffe://example.org/web',
        parent_id: 'spiffe://example.org/node',
        entry_id: 'one',
      },
    },
  ]);
});

test('old events go at half of their age', async (t) => {
  const { clock, asked } = start(t, { pruneEventsOlderThanSeconds: 4 * MINUTE });
  await clock.advance({ seconds: 4 * MINUTE });
  assert.deepEqual(asked, [
    { at: 120, what: 'events', before: -120 },
    { at: 240, what: 'events', before: 0 },
  ]);
});

test('events are never deleted without a pause', async (t) => {
  const { clock, asked } = start(t, { pruneEventsOlderThanSeconds: 0 });
  await clock.advance({ seconds: 2 });
  assert.equal(asked.length, 2);
});

const nodePruning = { expiredForSeconds: 90, batchSize: 7, includeTofu: true };

for (const [random, interval] of [
  [0, 45 * MINUTE],
  [0.5, 60 * MINUTE],
  [0.75, 67.5 * MINUTE],
] as const) {
  test(`expired nodes go about every hour: ${interval} s`, async (t) => {
    const { clock, lines, asked } = start(t, {
      nodePruning,
      random: () => random,
      entries: { pruneExpired: async () => [] },
    });
    await clock.advance({ seconds: interval - 1 });
    assert.deepEqual(asked, []);
    await clock.advance({ seconds: 1 });
    const rule = { includeNonReattestable: true, limit: 7 };
    assert.deepEqual(asked, [{ at: interval, what: 'agents', before: interval - 90, ...rule }]);
    const subsystem_name = 'node_manager';
    assert.deepEqual(lines, [
      {
        message: 'Periodic prune of expired nodes started',
        fields: { subsystem_name, expired_for: '1m30s', include_tofu: true },
      },
      { message: 'Pruned expired agents', fields: { subsystem_name, count: 2 } },
    ]);
  });
}

test('a failure is told, and tried again', async (t) => {
  const broken = () => Promise.reject(new Error('no database'));
  const { clock, lines } = start(t, {
    entries: { pruneExpired: broken },
    agents: { pruneExpired: broken },
    datastore: { pruneEvents: broken },
    nodePruning,
    pruneEventsOlderThanSeconds: HOUR,
  });
  await clock.advance({ seconds: HOUR });
  const told = new Map<string, number>();
  for (const { message, fields } of lines) {
    if (fields['error'] === 'no database') told.set(message, (told.get(message) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(told), {
    'Failed pruning registration entries': 12,
    'Failed to prune events': 2,
    'Failed to prune expired agents': 1,
  });
});

test('while the date is in doubt nothing goes', async (t) => {
  let steady = false;
  const nodePruning = { expiredForSeconds: HOUR, batchSize: 10, includeTofu: true };
  const { clock, asked, lines } = start(t, {
    nodePruning,
    pruneEventsOlderThanSeconds: HOUR,
    clockWatch: { isSteady: () => steady },
  });
  lines.length = 0;
  await clock.advance({ seconds: 10 * HOUR });
  assert.deepEqual(asked, []);
  assert.deepEqual(lines, []);
  steady = true;
  await clock.advance({ seconds: 5 * MINUTE });
  assert.equal(asked.length, 1);
});
