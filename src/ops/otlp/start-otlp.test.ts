import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { OtlpReceiver } from '../../../test/kit/otlp-receiver.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { createMetrics } from '../telemetry/front.ts';
import { createBatches } from './batches.ts';
import type { OtlpSettings } from './otlp-settings.ts';
import { startOtlp } from './start-otlp.ts';

const filters = { allowedPrefixes: [], blockedPrefixes: [], allowedLabels: [], blockedLabels: [] };

async function world(t: TestContext, endpoint?: string) {
  const receiver = await OtlpReceiver.start();
  t.after(() => receiver[Symbol.asyncDispose]());
  const lines: LogLine[] = [];
  const clock = new VirtualClock(Date.UTC(2026, 0, 1));
  const url = (signal: string) => new URL(`${endpoint ?? receiver.endpoint}/v1/${signal}`);
  const settings: OtlpSettings = {
    urls: { traces: url('traces'), metrics: url('metrics'), logs: url('logs') },
    headers: { 'x-key': 'value' },
    caFile: undefined,
    timeoutMilliseconds: 1000,
    metricsIntervalMilliseconds: 60_000,
    sampleRatio: 1,
    resource: { 'service.name': 'spire_server' },
  };
  const otlp = await startOtlp({ settings, clock, log: recordingLog(lines, {}, 'debug') });
  return { receiver, otlp, lines, clock };
}

const plain = (attributes: { key: string; value: object }[] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

test('sends spans, logs and metrics that a receiver understands, at the end what waits', async (t) => {
  const { receiver, otlp, lines } = await world(t);
  const metrics = createMetrics({
    settings: filters,
    prefix: 'spire_server',
    trustDomain: undefined,
    host: 'h',
    sinks: [otlp.sink ?? assert.fail()],
    onTooMany: () => assert.fail(),
  });
  metrics.counter(['svid', 'rotate'], 2, { status: 'OK' });
  metrics.gauge(['started'], 1);
  for (const value of [3, 30, 30_000]) metrics.sample(['svid', 'rotate', 'elapsed_time'], value);
  await otlp.tracer.span('outer', async (span) => {
    span.set({ text: 'a', whole: 7, part: 0.5, yes: true });
    otlp.log.child({ subsystem_name: 'x' }).warn('careful', {
      at: new Date(0),
      error: new Error('e'),
      code: { text: 'NotFound', json: 5 },
      none: undefined,
    });
  });
  otlp.log.trace('not written, since the log is not that loud');
  await otlp[Symbol.asyncDispose]();

  const [span] = receiver.spans;
  assert.equal(span?.service, 'spire_server');
  assert.match(span.traceId, /^[0-9a-f]{32}$/);
  assert.match(span.spanId, /^[0-9a-f]{16}$/);
  assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
  assert.ok(Math.abs(Number(span.startTimeUnixNano) / 1e6 - Date.now()) < 60_000);
  assert.deepEqual(plain(span.attributes), { text: 'a', whole: '7', part: 0.5, yes: true });

  assert.equal(lines.length, 1);
  const [log] = receiver.logs;
  assert.equal(receiver.logs.length, 1);
  assert.equal(log?.body.stringValue, 'careful');
  assert.equal(log.severityText, 'warning');
  assert.equal(log.traceId, span.traceId);
  assert.deepEqual(plain(log.attributes), {
    subsystem_name: 'x',
    at: '1970-01-01T00:00:00.000Z',
    error: 'e',
    code: 'NotFound',
  });

  const metric = (name: string) => receiver.metrics.find((one) => one.name === name);
  const [counted] = metric('spire_server.svid.rotate')?.sum?.dataPoints ?? [];
  assert.equal(counted?.asDouble, 2);
  assert.deepEqual(plain(counted.attributes), { status: 'OK', host: 'h' });
  assert.equal(metric('spire_server.started')?.gauge?.dataPoints[0]?.asDouble, 1);
  const [timed] = metric('spire_server.svid.rotate.elapsed_time')?.histogram?.dataPoints ?? [];
  assert.deepEqual(
    { ...timed, attributes: undefined, startTimeUnixNano: undefined, timeUnixNano: undefined },
    {
      attributes: undefined,
      startTimeUnixNano: undefined,
      timeUnixNano: undefined,
      count: '3',
      sum: 30_033,
      min: 3,
      max: 30_000,
      explicitBounds: [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000],
      bucketCounts: '0 1 0 0 1 0 0 0 0 0 0 0 0 0 0 1'.split(' '),
    },
  );
  assert.ok(receiver.headers.every((headers) => headers['x-key'] === 'value'));
});

test('long texts are cut, as soon as they come', async (t) => {
  const { receiver, otlp } = await world(t);
  const long = 'x'.repeat(1_000_000);
  otlp.log.error(`bad ${long}`, { error: new Error(long), code: { text: long, json: 5 } });
  await assert.rejects(
    otlp.tracer.span('outer', (span) => {
      span.set({ text: long });
      throw new Error(long);
    }),
  );
  await otlp[Symbol.asyncDispose]();
  const cut = `${'x'.repeat(4096)}…`;
  assert.equal(receiver.logs[0]?.body.stringValue, `bad ${'x'.repeat(4092)}…`);
  assert.deepEqual(plain(receiver.logs[0].attributes), { error: cut, code: cut });
  assert.deepEqual(plain(receiver.spans[0]?.attributes), { text: cut });
  assert.equal(receiver.spans[0]?.status.message, `Unknown: ${'x'.repeat(4087)}…`);
});

test('metrics are sent at intervals', async (t) => {
  const { receiver, otlp, clock } = await world(t);
  otlp.sink?.open({ kind: 'gauge', key: ['a'], labels: [] })(1);
  await clock.advance({ seconds: 60 });
  const deadline = performance.now() + 5000;
  while (receiver.metrics.length === 0) {
    assert.ok(performance.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await otlp[Symbol.asyncDispose]();
});

test('what is not taken is told of once a minute, and never to the receiver', async (t) => {
  const { receiver, otlp, lines, clock } = await world(t);
  const fail = async () => {
    receiver.refusals.push(400, 400, 400);
    otlp.log.info('a line');
    await otlp.tracer.span('x', async () => {});
    await clock.advance({ seconds: 60 });
    const deadline = performance.now() + 5000;
    while (receiver.refusals.length > 2) {
      assert.ok(performance.now() < deadline);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await fail();
  await otlp[Symbol.asyncDispose]();
  const warnings = lines.filter(({ message }) => message === 'Could not send by OTLP');
  assert.equal(warnings.length, 1);
  assert.equal(warnings[0]?.fields['error'], 'the receiver answered 400');
  assert.ok(!receiver.logs.some(({ body }) => body.stringValue.includes('OTLP')));
});

test('what may be taken later is sent again', async (t) => {
  const { receiver, otlp } = await world(t);
  receiver.refusals.push(503);
  await otlp.tracer.span('x', async () => {});
  await otlp[Symbol.asyncDispose]();
  assert.equal(receiver.spans.length, 1);
});

test('a receiver that says nothing holds up the end for seconds only', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await new Promise((resolve) => silent.once('listening', resolve));
  const { port } = silent.address() as { port: number };
  const sockets = new Set<{ destroy(): void }>();
  silent.on('connection', (socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const { otlp } = await world(t, `http://127.0.0.1:${port}`);
  await otlp.tracer.span('x', async () => {});
  const since = performance.now();
  await otlp[Symbol.asyncDispose]();
  assert.ok(performance.now() - since < 5000);
});

test('what waits has a bound: the oldest goes', async () => {
  const sent: number[] = [];
  let dropped = 0;
  let isAway = true;
  const { promise: back, resolve } = Promise.withResolvers<void>();
  const batches = createBatches<number>({
    async send(batch) {
      if (isAway) await back;
      sent.push(...batch);
    },
    onDropped: (count) => (dropped += count),
  });
  for (let i = 0; i < 20_000; i++) batches.add(i);
  isAway = false;
  resolve();
  await batches.flush();
  assert.equal(sent.length + dropped, 20_000);
  assert.ok(sent.length < 6000, String(sent.length));
  assert.equal(sent.at(-1), 19_999);
});
