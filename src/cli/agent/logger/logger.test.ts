import { Logger } from '../../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { loggerSuite } from '../../kit/logger.suite.ts';
import { loggerGet } from './get.ts';
import { loggerReset } from './reset.ts';
import { loggerSet } from './set.ts';

loggerSuite({ Logger, loggerGet, loggerSet, loggerReset });
