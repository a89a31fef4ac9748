import { Logger } from '../../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { LoggerSchema } from '../../../wire/gen/spire/api/types/logger_pb.ts';
import { adminCommand } from '../../kit/admin-command.ts';
import { loggerText } from '../../kit/logger.ts';
import { prefixed } from '../../kit/prefixed.ts';

export const loggerGet = adminCommand({
  name: 'logger get',
  flags: {},
  services: { logger: Logger },
  async run(_flags, { api, out }) {
    const logger = await api.logger.getLogger({}).catch(prefixed('error fetching logger'));
    out.print(LoggerSchema, logger, loggerText);
  },
});
