import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { callSite } from './call-site.ts';
import { type Log, type LogFields, type LogLevel, logLevels } from './log.ts';
import { formatForTerminal, formatLine, type LogFormat } from './log-line.ts';
import { type SourcePlaces, unknownPlaces } from './source-places.ts';

/** Takes whole lines; never blocks and never throws. */
export type LineSink = {
  write(line: string): void;
  /** A terminal gets the coloured form. */
  readonly isTerminal?: boolean;
};

export type LoggerOptions = {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly sink: LineSink;
  /** Adds to each line where it was written; costs time. */
  readonly sourceLocation?: boolean;
  /** Where in the sources that is, for bundled programs. */
  readonly sourcePlaces?: SourcePlaces;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
};

/** The log of a program. Its children follow its level. */
export interface Logger extends Log {
  readonly level: LogLevel;
  setLevel(level: LogLevel): void;
}

export function createLogger({
  level: initial,
  format,
  sink,
  sourceLocation = false,
  sourcePlaces = unknownPlaces,
  now = Date.now,
}: LoggerOptions): Logger {
  let level = initial;
  const startedAt = now();
  const coloured = sink.isTerminal === true && format !== 'json';

  const enabled = (wanted: LogLevel): boolean => rank(wanted) <= rank(level);

  const logWith = (bound: LogFields): Log => {
    const writer = (lineLevel: LogLevel) =>
      function write(message: string, fields?: LogFields): void {
        if (!enabled(lineLevel)) return;
        const record = {
          milliseconds: now(),
          level: lineLevel,
          message,
          fields: { ...bound, ...fields, ...(sourceLocation && callSite(write, sourcePlaces)) },
        };
        sink.write(coloured ? formatForTerminal(record, startedAt) : formatLine(record, format));
      };
    return {
      error: writer('error'),
      warn: writer('warning'),
      info: writer('info'),
      debug: writer('debug'),
      trace: writer('trace'),
      child: (fields) => logWith({ ...bound, ...fields }),
      enabled,
    };
  };

  return {
    ...logWith({}),
    get level() {
      return level;
    },
    setLevel(wanted) {
      level = wanted;
    },
  };
}

const rank = (level: LogLevel): number => logLevels.indexOf(level);

/** A level's name in any case, `warn` included. Throws 'invalid' with the reference's words. */
export function parseLogLevel(text: string): LogLevel {
  const name = text.toLowerCase();
  const level = logLevels.find(
    (known) => known === name || (known === 'warning' && name === 'warn'),
  );
  if (level === undefined) {
    throw new Fault('invalid', `not a valid logrus Level: ${goQuote(text)}`);
  }
  return level;
}

/** Throws 'invalid' with the reference's words. */
export function parseLogFormat(text: string): LogFormat {
  const name = text.toLowerCase();
  if (name === '' || name === 'text' || name === 'json') return name;
  throw new Fault('invalid', `unknown logger format: ${goQuote(text)}`);
}
