import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics, type FrontOptions, MAX_SERIES } from './front.ts';
import type { Series } from './sink.ts';

const open: FrontOptions['settings'] = {
  allowedPrefixes: [],
  blockedPrefixes: [],
  allowedLabels: [],
  blockedLabels: [],
};

function world(options: Partial<FrontOptions> = {}) {
  const opened: Series[] = [];
  const values: string[] = [];
  let tooMany = 0;
  const metrics = createMetrics({
    settings: open,
    prefix: 'spire_server',
    trustDomain: 'example.org',
    host: 'node-1.local',
    sinks: [
      {
        open(series) {
          opened.push(series);
          return (value) => {
            values.push(`${series.kind} ${series.key.join('.')} ${value}`);
          };
        },
      },
    ],
    onTooMany: () => tooMany++,
    ...options,
  });
  return { metrics, opened, values, tooMany: () => tooMany };
}

test('names the prefix first, and the labels in the order call, status, trust domain, host', () => {
  const { metrics, opened } = world();
  metrics.counter(['svid', 'rotate'], 1, { attestor: 'join-token', status: 'OK' });
  assert.deepEqual(opened, [
    {
      kind: 'counter',
      key: ['spire_server', 'svid', 'rotate'],
      labels: [
        ['attestor', 'join_token'],
        ['status', 'OK'],
        ['trust_domain', 'example_org'],
        ['host', 'node-1.local'],
      ],
    },
  ]);
});

test('the labels of trust domain and host can be left out', () => {
  const { metrics, opened } = world({ trustDomain: undefined, host: undefined });
  metrics.gauge(['started'], 1);
  assert.deepEqual(opened[0]?.labels, []);
});

test('a series is opened once, and gets each of its values', () => {
  const { metrics, opened, values } = world();
  metrics.counter(['a'], 1, { status: 'OK' });
  metrics.counter(['a'], 2, { status: 'OK' });
  metrics.counter(['a'], 3, { status: 'NotFound' });
  metrics.gauge(['a'], 4, { status: 'OK' });
  metrics.sample(['a', 'elapsed_time'], 5);
  assert.equal(opened.length, 4);
  assert.deepEqual(values, [
    'counter spire_server.a 1',
    'counter spire_server.a 2',
    'counter spire_server.a 3',
    'gauge spire_server.a 4',
    'sample spire_server.a.elapsed_time 5',
  ]);
});

for (const [raw, clean] of [
  ['example.org', 'example_org'],
  ['1.16.0-dev-unk', '1_16_0_dev_unk'],
  ['a::__b', 'a__b'],
  ['spiffe://x/y', 'spiffe_x_y'],
  ['Grüße', 'Gr_e'],
] as const) {
  test(`the label ${raw} is shown as ${clean}`, () => {
    const { metrics, opened } = world({ trustDomain: undefined, host: undefined });
    metrics.counter(['a'], 1, { [raw]: raw });
    assert.deepEqual(opened[0]?.labels, [[clean, clean]]);
  });
}

const prefixRows: readonly (readonly [string, Partial<typeof open>, string, boolean])[] = [
  ['nothing is listed', {}, 'rpc', true],
  ['its beginning is blocked', { blockedPrefixes: ['spire_server.rpc'] }, 'rpc', false],
  ['another is blocked', { blockedPrefixes: ['spire_server.rpc'] }, 'datastore', true],
  ['another is allowed', { allowedPrefixes: ['spire_server.rpc'] }, 'datastore', true],
  [
    'a longer beginning is allowed',
    { blockedPrefixes: ['spire_server'], allowedPrefixes: ['spire_server.r'] },
    'rpc',
    true,
  ],
  [
    'a longer beginning is blocked',
    { allowedPrefixes: ['spire_server'], blockedPrefixes: ['spire_server.r'] },
    'rpc',
    false,
  ],
  ['both lists have it', { allowedPrefixes: ['s'], blockedPrefixes: ['s'] }, 'rpc', false],
];
for (const [when, lists, key, shown] of prefixRows) {
  test(`a metric is ${shown ? 'shown' : 'left out'} where ${when}`, () => {
    const { metrics, opened } = world({ settings: { ...open, ...lists } });
    metrics.counter([key], 1);
    assert.equal(opened.length === 1, shown);
  });
}

const labelRows: readonly (readonly [string, Partial<typeof open>, readonly string[]])[] = [
  ['nothing is listed', {}, ['status', 'trust_domain', 'host']],
  ['one is blocked', { blockedLabels: ['host'] }, ['status', 'trust_domain']],
  ['one is allowed', { allowedLabels: ['status'] }, ['status']],
  ['one is both', { allowedLabels: ['status', 'host'], blockedLabels: ['host'] }, ['status']],
];
for (const [when, lists, shown] of labelRows) {
  test(`labels are ${shown.join(', ')} where ${when}`, () => {
    const { metrics, opened } = world({ settings: { ...open, ...lists } });
    metrics.counter(['a'], 1, { status: 'OK' });
    assert.deepEqual(
      opened[0]?.labels.map(([name]) => name),
      shown,
    );
  });
}

test('series have a bound, which is told once', () => {
  const { metrics, opened, tooMany } = world();
  for (let i = 0; i < MAX_SERIES + 10; i++) metrics.counter(['a'], 1, { n: String(i) });
  assert.equal(opened.length, MAX_SERIES);
  assert.equal(tooMany(), 1);
});
