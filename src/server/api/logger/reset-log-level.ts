import type { LevelControl } from '../../../ops/level-control.ts';
import { loggerToProto } from '../../../wire/log-level.ts';
import type { Call } from '../call.ts';

export type ResetLogLevelDeps = { readonly logLevels: Omit<LevelControl, 'set'> };

export async function resetLogLevel({ logLevels }: ResetLogLevelDeps, call: Pick<Call, 'log'>) {
  call.log.info('ResetLogLevel Called', { launch_log_level: logLevels.launch });
  logLevels.reset();
  return loggerToProto(logLevels);
}
