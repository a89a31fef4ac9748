import { type Log, type LogFields, silentLog } from '../../src/ops/log.ts';

export type LogLine = { readonly message: string; readonly fields: LogFields };

/** Keeps what is logged at info and above. */
export function recordingLog(lines: LogLine[], carried: LogFields = {}): Log {
  const keep = (message: string, fields: LogFields = {}) => {
    lines.push({ message, fields: { ...carried, ...fields } });
  };
  return {
    ...silentLog,
    error: keep,
    warn: keep,
    info: keep,
    child: (fields) => recordingLog(lines, { ...carried, ...fields }),
  };
}
