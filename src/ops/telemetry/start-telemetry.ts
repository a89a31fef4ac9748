import type { Clock } from '../../base/clock.ts';
import type { Log } from '../log.ts';
import { type Metrics, noMetrics } from '../metrics.ts';
import type { TelemetrySettings } from '../telemetry-settings.ts';
import { noTracer, type Tracer } from '../tracing.ts';
import type { OwnSvid } from './prometheus-endpoint.ts';

export type TelemetryOptions = {
  readonly settings: TelemetrySettings;
  /** `spire_server` or `spire_agent`: the prefix of all keys unless the configuration says another. */
  readonly service: string;
  readonly version: string;
  /** The trust domain's name. */
  readonly trustDomain: string;
  /** Gives a SPIFFE ID's plain form; throws if it is none. */
  readonly normalizeId: (text: string) => string;
  /** Calls the listener at each SIGUSR1, until what it returns is disposed. */
  readonly onUserSignal: (listener: () => void) => Disposable;
  /** Environment variables; OpenTelemetry's are read if that is configured. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
};

/** Disposing it sends what still waits. */
export interface Telemetry extends AsyncDisposable {
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** The log that was given; its lines go to OpenTelemetry too if that is configured. */
  readonly log: Log;
  /** Tells of the program's own SVID, at first and whenever it is renewed. */
  useSvid(svid: OwnSvid): void;
}

/**
 * Starts what the configuration asks for (`reference/server.md` §4.1, §12). Most programs ask for nothing: then nothing
 * is collected, and nothing of all this is loaded. Throws 'invalid' for settings that cannot be worked with.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { prometheus, statsd, dogStatsd, inMem, openTelemetry } = options.settings;
  const isWanted =
    prometheus !== undefined ||
    statsd.length > 0 ||
    dogStatsd.length > 0 ||
    inMem ||
    openTelemetry !== undefined;
  if (isWanted) return (await import('./start-sinks.ts')).startSinks(options);
  return {
    metrics: noMetrics,
    tracer: noTracer,
    log: options.log,
    useSvid() {},
    async [Symbol.asyncDispose]() {},
  };
}
