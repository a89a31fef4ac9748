import { Logger } from '../../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { LoggerSchema } from '../../../wire/gen/spire/api/types/logger_pb.ts';
import { adminCommand } from '../../kit/admin-command.ts';
import { flag } from '../../kit/flag.ts';
import { levelArgument, loggerText } from '../../kit/logger.ts';
import { prefixed } from '../../kit/prefixed.ts';

export const loggerSet = adminCommand({
  name: 'logger set',
  flags: { level: flag.string('panic, fatal, error, warn, info, debug or trace') },
  services: { logger: Logger },
  async run({ level }, { api, out }) {
    const newLevel = levelArgument(level);
    const logger = await api.logger
      .setLogLevel({ newLevel })
      .catch(prefixed('failed to set log level'));
    out.print(LoggerSchema, logger, loggerText);
  },
});
