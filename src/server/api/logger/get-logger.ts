import type { LevelControl } from '../../../ops/level-control.ts';
import { loggerToProto } from '../../../wire/log-level.ts';
import type { Call } from '../call.ts';

export type GetLoggerDeps = { readonly logLevels: Pick<LevelControl, 'current' | 'launch'> };

export async function getLogger({ logLevels }: GetLoggerDeps, call: Pick<Call, 'log'>) {
  call.log.info('GetLogger Called');
  return loggerToProto(logLevels);
}
