/** What a call costs more because it is counted, timed and traced. In this process: the sinks are the programs'. */

import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/ops/log.ts';
import { type Metrics, noMetrics } from '../src/ops/metrics.ts';
import { startCall } from '../src/ops/metrics-call.ts';
import { createOtlpMetricsSink } from '../src/ops/otlp/metrics.ts';
import { createTracer } from '../src/ops/otlp/tracer.ts';
import { createDogStatsdSink } from '../src/ops/telemetry/dog-statsd.ts';
import { createMetrics } from '../src/ops/telemetry/front.ts';
import { createInMemorySink } from '../src/ops/telemetry/in-memory.ts';
import { createPrometheusSink } from '../src/ops/telemetry/prometheus.ts';
import type { Sink } from '../src/ops/telemetry/sink.ts';
import { createStatsdSink } from '../src/ops/telemetry/statsd.ts';
import { noTracer, type Tracer } from '../src/ops/tracing.ts';
import { figure, title } from './kit/figures.ts';

const WARM_UP = 50_000;
const ROUNDS = 300_000;
const KEY = ['rpc', 'svid', 'v1', 'svid', 'batch_new_x509svid'];

export async function metrics(): Promise<void> {
  title('What is counted');
  const options = { clock: systemClock, random: Math.random };
  const lines = { push() {} };
  const sinks: Readonly<Record<string, readonly Sink[]>> = {
    Prometheus: [createPrometheusSink(options)],
    statsd: [createStatsdSink(lines)],
    DogStatsD: [createDogStatsdSink(lines)],
    'in-memory': [createInMemorySink({ ...options, log: silentLog })],
    OpenTelemetry: [createOtlpMetricsSink(0)],
  };
  counted('no sink', noMetrics);
  for (const [name, of] of Object.entries(sinks)) counted(name, metricsWith(of));
  counted('all five', metricsWith(Object.values(sinks).flat()));

  await traced('no tracer', noTracer);
  const onEnd = () => {};
  await traced('a trace that is not sampled', createTracer({ sampleRatio: 0, onEnd }));
  await traced('a trace that is', createTracer({ sampleRatio: 1, onEnd }));
}

const metricsWith = (sinks: readonly Sink[]): Metrics =>
  createMetrics({
    settings: { allowedPrefixes: [], blockedPrefixes: [], allowedLabels: [], blockedLabels: [] },
    prefix: 'spire_server',
    trustDomain: 'example.org',
    host: 'node-1',
    sinks,
    onTooMany() {},
  });

function counted(name: string, to: Metrics): void {
  const labels = { status: 'OK' };
  const count = time(() => {
    to.counter(KEY, 1, labels);
  });
  figure(`a counter, ${name}`, count, 'µs');
  figure(
    `a call (counter and time), ${name}`,
    time(() => startCall(to, KEY)()),
    'µs',
  );
}

function time(run: () => void): number {
  for (let i = 0; i < WARM_UP; i++) run();
  const since = performance.now();
  for (let i = 0; i < ROUNDS; i++) run();
  return ((performance.now() - since) / ROUNDS) * 1000;
}

async function traced(name: string, tracer: Tracer): Promise<void> {
  const task = async () => {};
  for (let i = 0; i < WARM_UP; i++) await tracer.span('x', task);
  const since = performance.now();
  for (let i = 0; i < ROUNDS; i++) await tracer.span('x', task);
  figure(`a span, ${name}`, ((performance.now() - since) / ROUNDS) * 1000, 'µs');
}
