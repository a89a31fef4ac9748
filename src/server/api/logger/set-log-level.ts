import type { LevelControl } from '../../../ops/level-control.ts';
import type { SetLogLevelRequest } from '../../../wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { LogLevelSchema } from '../../../wire/gen/spire/api/types/logger_pb.ts';
import { loggerToProto, logLevelFromProto } from '../../../wire/log-level.ts';
import type { Call } from '../call.ts';

export type SetLogLevelDeps = { readonly logLevels: Omit<LevelControl, 'reset'> };

/** The line comes before the change: whoever makes the log quieter leaves a trace. */
export async function setLogLevel(
  { logLevels }: SetLogLevelDeps,
  { newLevel }: Pick<SetLogLevelRequest, 'newLevel'>,
  call: Pick<Call, 'audit' | 'log'>,
) {
  call.audit({ new_log_level: LogLevelSchema.value[newLevel]?.name ?? String(newLevel) });
  const level = logLevelFromProto(newLevel);
  call.log.info('SetLogLevel Called', { new_log_level: level });
  logLevels.set(level);
  return loggerToProto(logLevels);
}
