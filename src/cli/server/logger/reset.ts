import { Logger } from '../../../wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { LoggerSchema } from '../../../wire/gen/spire/api/types/logger_pb.ts';
import { loggerText } from '../../kit/logger.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';

export const loggerReset = serverCommand({
  name: 'logger reset',
  flags: {},
  services: { logger: Logger },
  async run(_flags, { api, out }) {
    const logger = await api.logger.resetLogLevel({}).catch(prefixed('failed to reset logger'));
    out.print(LoggerSchema, logger, loggerText);
  },
});
