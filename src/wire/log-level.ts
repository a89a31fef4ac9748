import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import type { LogLevel } from '../ops/log.ts';
import { type LoggerSchema, LogLevel as Proto } from './gen/spire/api/types/logger_pb.ts';

const numbers = {
  panic: Proto.PANIC,
  fatal: Proto.FATAL,
  error: Proto.ERROR,
  warning: Proto.WARN,
  info: Proto.INFO,
  debug: Proto.DEBUG,
  trace: Proto.TRACE,
} satisfies Record<LogLevel, Proto>;

const levels = new Map(
  Object.entries(numbers).map(([level, number]) => [number as Proto, level as LogLevel]),
);

export const logLevelToProto = (level: LogLevel): Proto => numbers[level];

/** Throws 'invalid' with the reference's words. */
export function logLevelFromProto(number: Proto): LogLevel {
  if (number === Proto.UNSPECIFIED) {
    throw new Fault('invalid', 'newLevel value cannot be LogLevel_UNSPECIFIED');
  }
  const level = levels.get(number);
  if (level === undefined) throw new Fault('invalid', 'unsupported log level');
  return level;
}

/** The answer of every method of the Logger services. */
export const loggerToProto = ({
  current,
  launch,
}: {
  readonly current: LogLevel;
  readonly launch: LogLevel;
}): MessageInitShape<typeof LoggerSchema> => ({
  currentLevel: logLevelToProto(current),
  launchLevel: logLevelToProto(launch),
});

/** Undefined for UNSPECIFIED, and for numbers that mean nothing. */
export const logLevelName = (number: Proto): LogLevel | undefined => levels.get(number);
