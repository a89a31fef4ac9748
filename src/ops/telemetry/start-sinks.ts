import { hostname } from 'node:os';
import type { Log } from '../log.ts';
import { type Metrics, noMetrics } from '../metrics.ts';
import type { Otlp } from '../otlp/start-otlp.ts';
import { noTracer } from '../tracing.ts';
import { createDogStatsdSink, DOG_STATSD_PACKET_BYTES } from './dog-statsd.ts';
import { createMetrics } from './front.ts';
import { createInMemorySink } from './in-memory.ts';
import { startPrometheusEndpoint } from './prometheus-endpoint.ts';
import { watchRuntime } from './runtime.ts';
import type { Sink } from './sink.ts';
import type { Telemetry, TelemetryOptions } from './start-telemetry.ts';
import { createStatsdSink, STATSD_PACKET_BYTES } from './statsd.ts';
import { openUdpLines, parseUdpTarget } from './udp-lines.ts';
import { watchUptime } from './uptime.ts';

/**
 * Starts the sinks that are configured (`reference/server.md` §4.1, §12); without one nothing is collected. Throws
 * 'invalid' for settings that no sink can work with.
 */
export async function startSinks(options: TelemetryOptions): Promise<Telemetry> {
  const { settings, clock } = options;
  const log = options.log.child({ subsystem_name: 'telemetry' });
  await using opened = new AsyncDisposableStack();
  const sinks: Sink[] = [];
  for (const { address } of settings.statsd) {
    const lines = opened.use(openUdpLines(parseUdpTarget(address), STATSD_PACKET_BYTES));
    sinks.push(createStatsdSink(lines));
  }
  for (const { address } of settings.dogStatsd) {
    const lines = opened.use(openUdpLines(parseUdpTarget(address), DOG_STATSD_PACKET_BYTES));
    sinks.push(createDogStatsdSink(lines));
  }
  if (settings.inMem) {
    const memory = createInMemorySink({ clock, log });
    sinks.push(memory);
    opened.use(
      options.onUserSignal(() => {
        memory.dump();
      }),
    );
  }
  const prometheus =
    settings.prometheus &&
    opened.use(await startPrometheusEndpoint({ ...options, settings: settings.prometheus, log }));
  if (prometheus) sinks.push(prometheus.sink);
  const otlp = opened.use(await startOpenTelemetry(options));
  if (otlp.sink) sinks.push(otlp.sink);
  const metrics = sinks.length === 0 ? noMetrics : frontOf(options, sinks, log, opened);
  const running = opened.move();
  return {
    metrics,
    tracer: otlp.tracer,
    log: otlp.log,
    useSvid(svid) {
      prometheus?.useSvid(svid);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Loads what OpenTelemetry takes only where it is configured. */
async function startOpenTelemetry(options: TelemetryOptions): Promise<Otlp> {
  const { settings, environment, service, log } = options;
  if (settings.openTelemetry === undefined) {
    return { tracer: noTracer, sink: undefined, log, async [Symbol.asyncDispose]() {} };
  }
  const [{ startOtlp }, { resolveOtlp }] = await Promise.all([
    import('../otlp/start-otlp.ts'),
    import('../otlp/otlp-settings.ts'),
  ]);
  const resolved = resolveOtlp(settings.openTelemetry, environment, service);
  return startOtlp({ ...options, settings: resolved });
}

function frontOf(
  { settings, service, version, trustDomain, clock }: TelemetryOptions,
  sinks: readonly Sink[],
  log: Log,
  opened: AsyncDisposableStack,
): Metrics {
  const front = {
    settings,
    prefix: settings.metricPrefix || service,
    host: settings.hostnameLabel ? hostname() : undefined,
    sinks,
    onTooMany: () => {
      log.warn('There are too many metrics: new ones are dropped');
    },
  };
  const metrics = createMetrics({
    ...front,
    trustDomain: settings.trustDomainLabel ? trustDomain : undefined,
  });
  // What is told of the runtime has no other label than the host's.
  opened.use(watchRuntime(createMetrics({ ...front, trustDomain: undefined })));
  metrics.gauge(['started'], 1, { version, trust_domain_id: trustDomain });
  opened.use(watchUptime(metrics, clock));
  return metrics;
}
