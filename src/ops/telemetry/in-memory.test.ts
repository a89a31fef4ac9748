import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { createInMemorySink } from './in-memory.ts';
import type { MetricKind, Series } from './sink.ts';

const series = (kind: MetricKind, name = 'a'): Series => ({
  kind,
  key: ['spire_server', name],
  labels: [['status', 'OK']],
});

function world() {
  const clock = new VirtualClock(Date.UTC(2026, 10, 25, 2, 22, 21, 500));
  const lines: LogLine[] = [];
  const sink = createInMemorySink({ clock, log: recordingLog(lines) });
  const dump = (): string[] => {
    lines.length = 0;
    sink.dump();
    return lines.map(({ message }) => message.replaceAll(/ [+-]\d{4} [A-Z0-9+-]+/g, ' ZONE'));
  };
  return { clock, sink, dump };
}

test('dumps a line for each interval, kind and name, without the interval that runs', async () => {
  const { clock, sink, dump } = world();
  const [counter, gauge, sample] = (['counter', 'gauge', 'sample'] as const).map((kind) =>
    sink.open(series(kind, kind)),
  );
  counter?.(1);
  counter?.(1);
  sample?.(1);
  sample?.(3);
  gauge?.(86399.1329);
  assert.deepEqual(dump(), []);
  await clock.advance({ seconds: 1 });
  const day = new Date(clock.now() - 1500);
  const local = (milliseconds: number) =>
    new Date(day.getTime() - day.getTimezoneOffset() * 60_000 + milliseconds)
      .toISOString()
      .slice(0, -1)
      .replace('T', ' ');
  const at = local(0).slice(0, 19);
  const updated = `LastUpdated: ${local(500).slice(0, -2)} ZONE`;
  assert.deepEqual(dump(), [
    `[${at} ZONE][G] 'spire_server.gauge.OK': 86399.133`,
    `[${at} ZONE][C] 'spire_server.counter.OK': Count: 2 Sum: 2.000 ${updated}`,
    `[${at} ZONE][S] 'spire_server.sample.OK': Count: 2 Min: 1.000 Mean: 2.000 Max: 3.000 Stddev: 1.414 Sum: 4.000 ${updated}`,
  ]);
});

test('keeps an hour', async () => {
  const { clock, sink, dump } = world();
  const record = sink.open(series('counter'));
  record(1);
  await clock.advance({ seconds: 3598 });
  record(1);
  await clock.advance({ seconds: 1 });
  assert.equal(dump().length, 2);
  await clock.advance({ seconds: 1 });
  record(1);
  await clock.advance({ seconds: 1 });
  assert.equal(dump().length, 2, 'the first has gone');
});

test('keeps less than an hour of what is busy', async () => {
  const { clock, sink, dump } = world();
  const recorders = Array.from({ length: 1000 }, (_, i) => sink.open(series('counter', `n${i}`)));
  for (let second = 0; second < 150; second++) {
    for (const record of recorders) record(1);
    await clock.advance({ seconds: 1 });
  }
  assert.equal(dump().length, 100_000);
});

test('a clock that is set back loses nothing', async () => {
  const clock = { time: 10_000, now: () => clock.time };
  const lines: LogLine[] = [];
  const sink = createInMemorySink({ clock, log: recordingLog(lines) });
  const record = sink.open(series('counter'));
  record(1);
  clock.time = 5_000;
  record(1);
  clock.time = 20_000;
  sink.dump();
  assert.match(lines[0]?.message ?? '', /Count: 2 /);
  assert.equal(lines.length, 1);
});
