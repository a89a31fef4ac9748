import { resolve } from 'node:path';
import { reasonOf } from '../base/fault.ts';
import type { Located } from '../base/located.ts';
import type { Problems } from '../base/problems.ts';
import type { ConfigEnv } from './config-env.ts';
import { type Log, silentLog } from './log.ts';
import type { LogFormat } from './log-line.ts';
import { parseLogFormat, parseLogLevel } from './logger.ts';
import type { LogSettings } from './open-log.ts';

/** The log's keys as a configuration or the command line has them. */
export type RawLog = {
  readonly level: Located;
  readonly format: Located;
  readonly file: Located;
  readonly sourceLocation: boolean;
};

/**
 * Checks them and opens the log, in the reference's order: first the file, then level and format. While something
 * is wrong, nothing is written: the log is then a silent one.
 */
export async function startLog(
  raw: RawLog,
  problems: Problems,
  { cwd, openLog }: Pick<ConfigEnv, 'cwd' | 'openLog'>,
): Promise<{ readonly log: Log; readonly settings: LogSettings }> {
  const own: Located[] = [];
  const parse = <T>({ text, position }: Located, read: (text: string) => T, initial: T): T => {
    try {
      return read(text);
    } catch (error) {
      own.push({ text: `could not start logger: ${reasonOf(error)}`, position });
      return initial;
    }
  };
  const settings: LogSettings = {
    level: parse(raw.level, parseLogLevel, 'info'),
    format: parse<LogFormat>(raw.format, parseLogFormat, ''),
    file: raw.file.text === '' ? undefined : resolve(cwd, raw.file.text),
    sourceLocation: raw.sourceLocation,
  };
  let log = silentLog;
  if (problems.none) {
    try {
      const opened = await openLog(settings);
      if (own.length === 0) log = opened;
    } catch (error) {
      problems.add(reasonOf(error), raw.file.position);
    }
  }
  for (const { text, position } of own) problems.add(text, position);
  return { log, settings };
}
