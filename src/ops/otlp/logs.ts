import type { Clock } from '../../base/clock.ts';
import type { Log, LogFields, LogLevel, LogValue } from '../log.ts';
import type { SpanContext } from '../tracing.ts';
import { attributesOf, cutText, nanoseconds, type Origin } from './json.ts';

export type LogRecord = {
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  readonly span: SpanContext | undefined;
};

export type ExportedLogOptions = {
  readonly log: Log;
  readonly clock: Pick<Clock, 'now'>;
  /** The span that the caller is in. */
  readonly current: () => SpanContext | undefined;
  readonly onRecord: (record: LogRecord) => void;
};

/** The same log; what it writes is told to `onRecord` too, with the span that it belongs to. */
export function exportedLog(options: ExportedLogOptions, carried: LogFields = {}): Log {
  const { log, clock, current, onRecord } = options;
  const write =
    (level: LogLevel, to: (message: string, fields?: LogFields) => void) =>
    (message: string, fields: LogFields = {}): void => {
      to(message, fields);
      if (!log.enabled(level)) return;
      const span = current();
      onRecord({ at: clock.now(), level, message, fields: { ...carried, ...fields }, span });
    };
  return {
    error: write('error', (message, fields) => log.error(message, fields)),
    warn: write('warning', (message, fields) => log.warn(message, fields)),
    info: write('info', (message, fields) => log.info(message, fields)),
    debug: write('debug', (message, fields) => log.debug(message, fields)),
    trace: write('trace', (message, fields) => log.trace(message, fields)),
    child: (fields) =>
      exportedLog({ ...options, log: log.child(fields) }, { ...carried, ...fields }),
    enabled: (level) => log.enabled(level),
  };
}

/** OpenTelemetry's numbers for them. */
const severities: Record<LogLevel, number> = {
  trace: 1,
  debug: 5,
  info: 9,
  warning: 13,
  error: 17,
  fatal: 21,
  panic: 24,
};

export const logsRequest = ({ resource, scope }: Origin, logRecords: readonly RecordJson[]) => ({
  resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }],
});

export const recordToJson = ({ at, level, message, fields, span }: LogRecord) => ({
  timeUnixNano: nanoseconds(at),
  observedTimeUnixNano: nanoseconds(at),
  severityNumber: severities[level],
  severityText: level,
  body: { stringValue: cutText(message) },
  attributes: attributesOf(
    Object.fromEntries(
      Object.entries(fields).flatMap(([name, value]) => {
        const plain = plainValue(value);
        return plain === undefined ? [] : [[name, plain]];
      }),
    ),
  ),
  ...(span && { traceId: span.traceId, spanId: span.spanId, flags: Number(span.sampled) }),
});

export type RecordJson = ReturnType<typeof recordToJson>;

function plainValue(value: LogValue): string | number | bigint | boolean | undefined {
  if (typeof value !== 'object') return value;
  if (value instanceof Date) return value.toISOString();
  return value instanceof Error ? value.message : value.text;
}
