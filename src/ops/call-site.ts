import { basename } from 'node:path';
import type { SourcePlaces } from './source-places.ts';

/** Where a function was called from, as `log_source_location` shows it: `{ file: 'name.ts:12', func: 'name' }`. */
export function callSite(
  calledFunction: (...args: never[]) => unknown,
  places: SourcePlaces,
): {
  readonly file?: string;
  readonly func?: string;
} {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, calledFunction);
  Error.stackTraceLimit = limit;
  const frame = FRAME.exec(holder.stack?.split('\n')[1] ?? '');
  if (frame === null) return {};
  const [, func, path = '', line = '', column = ''] = frame;
  const source = places(path, Number(line), Number(column));
  const file = source === undefined ? `${basename(path)}:${line}` : `${source.file}:${source.line}`;
  return { file, ...(func !== undefined && { func }) };
}

/** `    at name (path:12:3)`, or without the name `    at path:12:3`. */
const FRAME = /^\s*at (?:(?:async )?(\S.*?) \()?(.*?):(\d+):(\d+)\)?$/;
