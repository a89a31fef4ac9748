import { goQuote } from '../base/go-quote.ts';
import { goTimeText } from '../base/go-time.ts';
import { rfc3339 } from '../base/rfc3339.ts';
import type { LogFields, LogJson, LogLevel, LogValue } from './log.ts';

/** One line before it is written. */
export type LogRecord = {
  readonly milliseconds: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
};

/** '' is what an unset `log_format` means: as text, with whole seconds. */
export type LogFormat = '' | 'text' | 'json';

/** One record as a line with its line end (`reference/server.md` §2, `reference/agent.md` §8). */
export function formatLine(record: LogRecord, format: LogFormat): string {
  return format === 'json' ? jsonLine(record) : textLine(record, format === 'text');
}

function textLine({ milliseconds, level, message, fields }: LogRecord, fraction: boolean): string {
  let line = `time=${quoted(rfc3339(milliseconds, { fraction }))} level=${level} msg=${quoted(message)}`;
  for (const [name, value] of sorted(fields)) line += ` ${name}=${quoted(textOf(value))}`;
  return `${line}\n`;
}

/** Fields that would hide one of the line's own are renamed. */
const OWN = new Set(['time', 'level', 'msg']);

function sorted(fields: LogFields): (readonly [string, Exclude<LogValue, undefined>])[] {
  return Object.entries(fields)
    .flatMap(([name, value]) =>
      value === undefined ? [] : [[OWN.has(name) ? `fields.${name}` : name, value] as const],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function textOf(value: Exclude<LogValue, undefined>): string {
  if (value instanceof Date) return goTimeText(value);
  if (value instanceof Error) return clipped(value.message);
  return clipped(typeof value === 'object' ? value.text : String(value));
}

/** Callers choose some of what is logged, up to the length of a request; nobody reads more of it, and a disk is finite. */
const MAX_VALUE_LENGTH = 16 * 1024;

const clipped = (text: string): string =>
  text.length <= MAX_VALUE_LENGTH
    ? text
    : `${text.slice(0, MAX_VALUE_LENGTH)}… (${text.length - MAX_VALUE_LENGTH} more characters)`;

/** Anything but these needs quotes; nothing at all does not. */
const PLAIN = /^[A-Za-z0-9\-._/@^+]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? text : goQuote(text));

function jsonLine({ milliseconds, level, message, fields }: LogRecord): string {
  const members: [string, string][] = sorted(fields).map(([name, value]) => [name, jsonOf(value)]);
  members.push(['level', jsonText(level)], ['msg', jsonText(message)]);
  members.push(['time', jsonText(rfc3339(milliseconds, { fraction: true }))]);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, value]) => `${jsonText(name)}:${value}`).join(',')}}\n`;
}

function jsonOf(value: Exclude<LogValue, undefined>): string {
  if (value instanceof Date) return jsonText(rfc3339(value.getTime(), { fraction: true }));
  if (value instanceof Error) return jsonText(clipped(value.message));
  if (typeof value === 'object') return jsonText(value.json);
  if (typeof value === 'string') return jsonText(clipped(value));
  return typeof value === 'number' && !Number.isFinite(value)
    ? jsonText(String(value))
    : String(value);
}

/** As Go's encoder: what HTML could misread is escaped. */
const jsonText = (value: LogJson): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'string' ? inner.toWellFormed() : inner,
  ).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The escape sequences' colours: grey, yellow, red, blue. */
const COLOURS: Readonly<Record<LogLevel, number>> = {
  trace: 37,
  debug: 37,
  info: 36,
  warning: 33,
  error: 31,
  fatal: 31,
  panic: 31,
};

/** A record as a terminal shows it: `INFO[0000] message  key=value`, seconds since the start in brackets. */
export function formatForTerminal(record: LogRecord, startMilliseconds: number): string {
  const { milliseconds, level, message, fields } = record;
  const seconds = Math.max(0, Math.floor((milliseconds - startMilliseconds) / 1000));
  const paint = (text: string): string => `\x1b[${COLOURS[level]}m${text}\x1b[0m`;
  const head = `${paint(level.toUpperCase().slice(0, 4))}[${String(seconds).padStart(4, '0')}]`;
  const shown = message.endsWith('\n') ? message.slice(0, -1) : message;
  const padding = ' '.repeat(Math.max(0, MESSAGE_WIDTH - Array.from(shown).length));
  let line = `${head} ${shown}${padding} `;
  for (const [name, value] of sorted(fields)) line += ` ${paint(name)}=${quoted(textOf(value))}`;
  return `${line}\n`;
}

const MESSAGE_WIDTH = 44;
