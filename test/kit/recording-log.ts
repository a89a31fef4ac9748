import { type Log, type LogFields, type LogLevel, silentLog } from '../../src/ops/log.ts';

export type LogLine = { readonly message: string; readonly fields: LogFields };

/** Keeps what is logged at info and above, or with `level: 'debug'` what a server at that level would write. */
export function recordingLog(
  lines: LogLine[],
  carried: LogFields = {},
  level: LogLevel = 'info',
): Log {
  const keep = (message: string, fields: LogFields = {}) => {
    lines.push({ message, fields: { ...carried, ...fields } });
  };
  return {
    ...silentLog,
    error: keep,
    warn: keep,
    info: keep,
    ...(level === 'debug' && { debug: keep, enabled: (wanted) => wanted !== 'trace' }),
    child: (fields) => recordingLog(lines, { ...carried, ...fields }, level),
  };
}
