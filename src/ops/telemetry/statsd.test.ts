import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createDogStatsdSink } from './dog-statsd.ts';
import type { MetricKind, Series } from './sink.ts';
import { createStatsdSink } from './statsd.ts';
import { openUdpLines, parseUdpTarget } from './udp-lines.ts';

const series = (kind: MetricKind, host = 'vm'): Series => ({
  kind,
  key: ['spire_server', 'datastore', 'node', 'list'],
  labels: [
    ['status', 'OK'],
    ['host', host],
  ],
});

function lineOf(create: typeof createStatsdSink, of: Series, value: number): string {
  const lines: string[] = [];
  create({ push: (line) => lines.push(line) }).open(of)(value);
  return lines.join('');
}

test('statsd: the values of the labels stand in the name', () => {
  const line = (of: Series, value: number) => lineOf(createStatsdSink, of, value);
  const name = 'spire_server.datastore.node.list.OK.vm';
  assert.equal(line(series('counter'), 1), `${name}:1.000000|c\n`);
  assert.equal(line(series('gauge'), 86399.133), `${name}:86399.133000|g\n`);
  assert.equal(line(series('sample'), 0.6274914), `${name}:0.627491|ms\n`);
  assert.equal(
    line(series('gauge', 'a:b|c d\ne'), 1),
    'spire_server.datastore.node.list.OK.a_b_c_d_e:1.000000|g\n',
  );
});

test('DogStatsD: labels are tags', () => {
  const line = (of: Series, value: number) => lineOf(createDogStatsdSink, of, value);
  const name = 'spire_server.datastore.node.list';
  assert.equal(line(series('counter'), 1), `${name}:1|c|#status:OK,host:vm\n`);
  assert.equal(line(series('gauge'), 86399.133), `${name}:86399.133|g|#status:OK,host:vm\n`);
  assert.equal(line(series('gauge'), 1e-7), `${name}:0.000000100|g|#status:OK,host:vm\n`);
  assert.equal(line(series('sample'), 0.0870684), `${name}:0.087068|ms|#status:OK,host:vm\n`);
  assert.equal(line(series('gauge', 'a,b|c'), 0), `${name}:0|g|#status:OK,host:a_b_c\n`);
  assert.equal(line({ ...series('counter'), labels: [] }, 2.9), `${name}:2|c\n`);
});

async function listen(t: TestContext) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  const packets: string[] = [];
  socket.on('message', (message) => packets.push(message.toString()));
  return { socket, packets, port: socket.address().port };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, 'in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('lines share packets, none of which is too long; the end sends what waits', async (t) => {
  const { packets, port } = await listen(t);
  const lines = Array.from({ length: 40 }, (_, i) => `metric.number.${i}:1|c\n`);
  {
    await using udp = openUdpLines({ host: 'localhost', port }, 200);
    for (const line of lines) udp.push(line);
  }
  await until(() => packets.join('') === lines.join(''));
  assert.ok(packets.length >= 4);
  assert.ok(packets.every((packet) => packet.length <= 200));
});

test('lines are sent while nobody ends anything', async (t) => {
  const { packets, port } = await listen(t);
  await using udp = openUdpLines({ host: '127.0.0.1', port }, 1400);
  udp.push('a:1|c\n');
  await until(() => packets.length === 1);
  udp.push('b:1|c\n');
  await until(() => packets.length === 2);
});

test('a receiver that is not there costs nothing', async () => {
  for (const host of ['127.0.0.1', 'no-such-host.invalid']) {
    await using udp = openUdpLines({ host, port: 9 }, 1400);
    for (let i = 0; i < 100_000; i++) udp.push('metric.of.some.length:1|c\n');
  }
});

for (const [address, target] of [
  ['127.0.0.1:8125', { host: '127.0.0.1', port: 8125 }],
  ['statsd.local:1', { host: 'statsd.local', port: 1 }],
  ['[::1]:8125', { host: '::1', port: 8125 }],
  [':8125', { host: 'localhost', port: 8125 }],
] as const) {
  test(`${address} is an address`, () => {
    assert.deepEqual(parseUdpTarget(address), target);
  });
}
for (const address of [
  '',
  'host',
  'host:',
  'host:0',
  'host:65536',
  'host:x',
  '::1:8125',
  'unix:///run/dsd.sock',
]) {
  test(`"${address}" is none`, () => {
    assert.throws(() => parseUdpTarget(address), {
      kind: 'invalid',
      message: `"${address}" is no UDP address: it must be host:port`,
    });
  });
}
