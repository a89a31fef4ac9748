import type { LevelControl } from '../../../ops/level-control.ts';
import { type BoundService, type Implementation, implement } from '../../../rpc/service.ts';
import { Logger } from '../../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { loggerToProto, logLevelFromProto } from '../../../wire/log-level.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';

/** `spire.api.agent.logger.v1.Logger` (`reference/agent.md` §4.7). */
export const loggerService = (logLevels: LevelControl): BoundService<WorkloadCall> =>
  implement(Logger, loggerMethods(logLevels));

/** A change's line comes before it: it may be the last that is shown. */
export const loggerMethods = (logLevels: LevelControl) =>
  ({
    async getLogger(_, { log }) {
      log.info('GetLogger Called');
      return loggerToProto(logLevels);
    },
    async setLogLevel({ newLevel }, { log }) {
      const level = logLevelFromProto(newLevel);
      log.info('SetLogLevel Called', { new_log_level: level });
      logLevels.set(level);
      return loggerToProto(logLevels);
    },
    async resetLogLevel(_, { log }) {
      log.info('ResetLogLevel Called', { launch_log_level: logLevels.launch });
      logLevels.reset();
      return loggerToProto(logLevels);
    },
  }) satisfies Implementation<typeof Logger, WorkloadCall>;
