import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { goFloat } from './go-float.ts';
import { createPrometheusSink } from './prometheus.ts';
import type { MetricKind, Series } from './sink.ts';

const series = (
  kind: MetricKind,
  name: string,
  labels: Record<string, string> = { host: 'h', status: 'OK' },
): Series => ({ kind, key: ['spire_server', ...name.split('.')], labels: Object.entries(labels) });

const world = () => {
  const clock = new VirtualClock(0);
  return { clock, sink: createPrometheusSink({ clock, random: () => 0.5 }) };
};

test('shows counters, gauges and summaries as SPIRE does, sorted by name and labels', async () => {
  const { sink } = world();
  sink.open(series('counter', 'svid.rotate', { status: 'OK', attestor: 'x', host: 'h' }))(2);
  sink.open(series('counter', 'svid.rotate', { status: 'Internal', attestor: 'x', host: 'h' }))(1);
  sink.open(series('gauge', 'uptime_in_ms', {}))(1234567);
  const elapsed = sink.open(series('sample', 'svid.rotate.elapsed_time'));
  elapsed(1.5);
  elapsed(0.5);
  assert.equal(
    sink.exposition(),
    `# HELP spire_server_svid_rotate spire_server_svid_rotate
# TYPE spire_server_svid_rotate counter
spire_server_svid_rotate{attestor="x",host="h",status="Internal"} 1
spire_server_svid_rotate{attestor="x",host="h",status="OK"} 2
# HELP spire_server_svid_rotate_elapsed_time spire_server_svid_rotate_elapsed_time
# TYPE spire_server_svid_rotate_elapsed_time summary
spire_server_svid_rotate_elapsed_time{host="h",status="OK",quantile="0.5"} 0.5
spire_server_svid_rotate_elapsed_time{host="h",status="OK",quantile="0.9"} 1.5
spire_server_svid_rotate_elapsed_time{host="h",status="OK",quantile="0.99"} 1.5
spire_server_svid_rotate_elapsed_time_sum{host="h",status="OK"} 2
spire_server_svid_rotate_elapsed_time_count{host="h",status="OK"} 2
# HELP spire_server_uptime_in_ms spire_server_uptime_in_ms
# TYPE spire_server_uptime_in_ms gauge
spire_server_uptime_in_ms 1.234567e+06
`,
  );
});

const linesOf = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(name));

test('quantiles are of the last ten seconds, sums of the whole life', async () => {
  const { clock, sink } = world();
  const record = sink.open(series('sample', 'a', {}));
  record(7);
  await clock.advance({ seconds: 8 });
  assert.match(sink.exposition(), /quantile="0.5"} 7\n/);
  await clock.advance({ seconds: 3 });
  assert.match(sink.exposition(), /quantile="0.5"} NaN\n/);
  assert.deepEqual(linesOf(sink.exposition(), 'spire_server_a_'), [
    'spire_server_a_sum 7',
    'spire_server_a_count 1',
  ]);
  record(9);
  assert.match(sink.exposition(), /quantile="0.99"} 9\n/);
});

test('many readings are answered for by some of them', () => {
  let draw = 0;
  const sink = createPrometheusSink({
    clock: new VirtualClock(0),
    random: () => (draw = (draw + 0.618034) % 1),
  });
  const record = sink.open(series('sample', 'a', {}));
  for (let i = 1; i <= 100_000; i++) record(i % 1000);
  const half = Number(/quantile="0.5"} (\S+)/.exec(sink.exposition())?.[1]);
  assert.ok(half > 350 && half < 650, String(half));
  assert.match(sink.exposition(), /_count 100000\n/);
});

test('nothing but names, and no second line, comes out of what plugins and the configuration say', () => {
  const { sink } = world();
  const hostile: Series = {
    kind: 'gauge',
    key: ['9 x.y', 'a\nb{c="d"} 1'],
    labels: [
      ['l\n}', 'v"\\\n'],
      ['1st', ''],
    ],
  };
  sink.open(hostile)(1);
  assert.deepEqual(linesOf(sink.exposition(), '_9'), [
    '_9_x_y_a_b_c__d___1{_1st="",l__="v\\"\\\\\\n"} 1',
  ]);
});

test('one name is one kind', () => {
  const { sink } = world();
  sink.open(series('counter', 'a', {}))(1);
  sink.open(series('gauge', 'a', {}))(5);
  assert.deepEqual(linesOf(sink.exposition(), 'spire_server_a'), ['spire_server_a 1']);
});

for (const [value, text] of [
  [0, '0'],
  [-0, '0'],
  [1, '1'],
  [-1.5, '-1.5'],
  [999_999, '999999'],
  [1_000_000, '1e+06'],
  [1795659741, '1.795659741e+09'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [2 ** 64, '1.8446744073709552e+19'],
  [0.7650730013847351, '0.7650730013847351'],
  [1e100, '1e+100'],
  [Number.NaN, 'NaN'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
] as const) {
  test(`Go writes ${value} as ${text}`, () => {
    assert.equal(goFloat(value), text);
  });
}
