/** A field's value. Dates print in local time, errors as their text; undefined fields are left out. */
export type LogValue = string | number | bigint | boolean | Date | Error | LogForms | undefined;
/** What Go's loggers print in two forms: a status code as a name or a number, a list as words or a list. */
export type LogForms = { readonly text: string; readonly json: LogJson };
export type LogJson =
  | string
  | number
  | null
  | readonly LogJson[]
  | { readonly [name: string]: LogJson };
export type LogFields = Readonly<Record<string, LogValue>>;

/** From quietest to loudest (`reference/server.md` §2). */
export const logLevels = ['panic', 'fatal', 'error', 'warning', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Where a module writes what an operator should know. Never a secret: no token, key, or certificate request. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  trace(message: string, fields?: LogFields): void;
  /** A log whose lines all carry these fields too. */
  child(fields: LogFields): Log;
  /** Whether a line of that level would be written; for fields that cost something to make. */
  enabled(level: LogLevel): boolean;
}

export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  trace() {},
  child: () => silentLog,
  enabled: () => false,
};
