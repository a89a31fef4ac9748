import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { parseLogLevel } from '../../ops/logger.ts';
import type { Logger, LogLevel } from '../../wire/gen/spire/api/types/logger_pb.ts';
import { logLevelName, logLevelToProto } from '../../wire/log-level.ts';

/** What the `logger` commands of server and agent print (`reference/cli.md` §4.16). Throws 'internal'. */
export const loggerText = ({
  currentLevel,
  launchLevel,
}: Pick<Logger, 'currentLevel' | 'launchLevel'>): string =>
  `Logger Level : ${levelText('current', currentLevel)}\n` +
  `Launch Level : ${levelText('launch', launchLevel)}\n\n`;

/** `-level`. Throws 'invalid'. */
export function levelArgument(text: string): LogLevel {
  if (text === '') throw new Fault('invalid', 'a value (-level) must be set');
  try {
    return logLevelToProto(parseLogLevel(text));
  } catch (error) {
    throw new Fault('invalid', `the value ${goQuote(text)} is not a valid setting`, {
      cause: error,
    });
  }
}

function levelText(which: 'current' | 'launch', level: LogLevel): string {
  const name = logLevelName(level);
  if (name !== undefined) return name;
  throw new Fault(
    'internal',
    `internal error: returned ${which} log level is undefined; please report this as a bug`,
  );
}
