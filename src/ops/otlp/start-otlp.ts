import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { reasonOf } from '../../base/fault.ts';
import { readFileBounded } from '../../base/files.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { repeat } from '../../base/repeat.ts';
import type { Log } from '../log.ts';
import type { Sink } from '../telemetry/sink.ts';
import { noTracer, type Tracer } from '../tracing.ts';
import { STEEPLE_VERSION } from '../version.ts';
import { createBatches } from './batches.ts';
import { attributesOf, type Origin, type SpanJson, spanToJson, tracesRequest } from './json.ts';
import { exportedLog, logsRequest, type RecordJson, recordToJson } from './logs.ts';
import { createOtlpMetricsSink } from './metrics.ts';
import type { OtlpSettings, OtlpSignal } from './otlp-settings.ts';
import { postJson } from './post.ts';
import { createTracer } from './tracer.ts';

/** A receiver that is away is told of no more often. */
const WARNING_INTERVAL_MILLISECONDS = 60_000;
/** At the end what waits has so long to go out. */
const CLOSE_MILLISECONDS = 3_000;
const MAX_PEM_BYTES = 1024 * 1024;

export type OtlpOptions = {
  readonly settings: OtlpSettings;
  readonly clock: Clock;
  /** Where the program writes; failures to send are written there only. */
  readonly log: Log;
};

/** Disposing it sends what still waits. */
export interface Otlp extends AsyncDisposable {
  readonly tracer: Tracer;
  /** Where metrics go; undefined: they are not sent. */
  readonly sink: Sink | undefined;
  /** The program's log, whose lines are sent too if logs are. */
  readonly log: Log;
}

type Send = (signal: OtlpSignal, body: unknown) => Promise<void>;

/** Sends traces, metrics and logs by OTLP over HTTP, in JSON. Throws 'invalid' if a file cannot be read. */
export async function startOtlp(options: OtlpOptions): Promise<Otlp> {
  const { settings, clock, log } = options;
  await using opened = new AsyncDisposableStack();
  const stop = new AbortController();
  const { send, onDropped } = await createSender(options, stop.signal);
  const origin: Origin = {
    resource: { attributes: attributesOf({ 'host.name': hostname(), ...settings.resource }) },
    scope: { name: 'steeple', version: STEEPLE_VERSION },
  };
  const flushes: (() => Promise<void>)[] = [];
  const batches = <T>(signal: OtlpSignal, request: (batch: readonly T[]) => unknown) => {
    const made = createBatches<T>({ send: (batch) => send(signal, request(batch)), onDropped });
    flushes.push(() => made.flush());
    return made;
  };
  const { traces, metrics, logs } = settings.urls;
  const spans = traces && batches<SpanJson>('traces', (batch) => tracesRequest(origin, batch));
  const records = logs && batches<RecordJson>('logs', (batch) => logsRequest(origin, batch));
  const tracer = spans
    ? createTracer({
        sampleRatio: settings.sampleRatio,
        onEnd: (span) => spans.add(spanToJson(span)),
      })
    : noTracer;
  const sink = metrics && createOtlpMetricsSink(clock.now());
  const sendMetrics = async () => {
    if (sink !== undefined) await send('metrics', sink.request(origin, clock.now()));
  };
  const milliseconds = settings.metricsIntervalMilliseconds;
  const loop = repeat({ clock, signal: stop.signal, milliseconds }, sendMetrics);
  opened.defer(async () => {
    const ends = [...flushes.map((flush) => flush()), sendMetrics()];
    const given = new AbortController();
    const patience = wait(CLOSE_MILLISECONDS, undefined, { signal: given.signal }).catch(() => {});
    await Promise.race([Promise.all(ends), patience]);
    given.abort();
    stop.abort();
    await loop;
  });
  const running = opened.move();
  return {
    tracer,
    sink,
    log: records
      ? exportedLog({
          log,
          clock,
          current: () => tracer.current(),
          onRecord: (record) => records.add(recordToJson(record)),
        })
      : log,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function createSender(
  { settings, clock, log: parent }: OtlpOptions,
  signal: AbortSignal,
): Promise<{ send: Send; onDropped: (count: number) => void }> {
  const log = parent.child({ subsystem_name: 'telemetry' });
  const ca = settings.caFile && (await readCa(settings.caFile));
  let warnedAt = -Infinity;
  const warn = (error: unknown, what: OtlpSignal) => {
    if (clock.now() - warnedAt < WARNING_INTERVAL_MILLISECONDS || signal.aborted) return;
    warnedAt = clock.now();
    log.warn('Could not send by OTLP', { signal: what, error: reasonOf(error) });
  };
  return {
    async send(what, body) {
      const url = settings.urls[what];
      if (url === undefined) return;
      const { headers, timeoutMilliseconds } = settings;
      await postJson(
        { url, headers, ca: ca || undefined, timeoutMilliseconds, signal },
        body,
      ).catch((error: unknown) => {
        warn(error, what);
      });
    },
    onDropped(count) {
      warn(new Error(`${count} items waited too long and were dropped`), 'traces');
    },
  };
}

async function readCa(path: string): Promise<string> {
  try {
    return Buffer.from(await readFileBounded(path, MAX_PEM_BYTES)).toString('utf8');
  } catch (error) {
    throw goFileError('open', path, error);
  }
}
