import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { createLevelControl } from '../../../ops/level-control.ts';
import { createLogger } from '../../../ops/logger.ts';
import {
  GetLoggerRequestSchema,
  ResetLogLevelRequestSchema,
  SetLogLevelRequestSchema,
} from '../../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { LogLevel } from '../../../wire/gen/spire/api/types/logger_pb.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import { loggerMethods } from './service.ts';

function place() {
  const logger = createLogger({ level: 'info', format: '', sink: { write() {} } });
  const lines: LogLine[] = [];
  const call: WorkloadCall = {
    signal: new AbortController().signal,
    log: recordingLog(lines),
    isOwn: false,
    attest: () => assert.fail('whoever may write to the socket may ask'),
  };
  const methods = loggerMethods(createLevelControl(logger));
  return {
    logger,
    get: () => methods.getLogger(create(GetLoggerRequestSchema), call),
    set: (newLevel: LogLevel) =>
      methods.setLogLevel(create(SetLogLevelRequestSchema, { newLevel }), call),
    reset: () => methods.resetLogLevel(create(ResetLogLevelRequestSchema), call),
    told: () => lines.map(({ message, fields }) => [message, fields]),
  };
}

test('the level is shown, changed and set back, and each is told before it happens', async () => {
  const { logger, get, set, reset, told } = place();
  const launchLevel = LogLevel.INFO;
  assert.deepEqual(await get(), { currentLevel: LogLevel.INFO, launchLevel });
  assert.deepEqual(await set(LogLevel.ERROR), { currentLevel: LogLevel.ERROR, launchLevel });
  assert.equal(logger.level, 'error');
  assert.deepEqual(await get(), { currentLevel: LogLevel.ERROR, launchLevel });
  assert.deepEqual(await reset(), { currentLevel: LogLevel.INFO, launchLevel });
  assert.equal(logger.level, 'info');
  assert.deepEqual(told(), [
    ['GetLogger Called', {}],
    ['SetLogLevel Called', { new_log_level: 'error' }],
    ['GetLogger Called', {}],
    ['ResetLogLevel Called', { launch_log_level: 'info' }],
  ]);
});

for (const [level, message] of [
  [LogLevel.UNSPECIFIED, 'newLevel value cannot be LogLevel_UNSPECIFIED'],
  [99 as LogLevel, 'unsupported log level'],
] as const) {
  test(`the level ${level} is refused, and nothing changes`, async () => {
    const { logger, set, told } = place();
    await assert.rejects(set(level), { kind: 'invalid', message });
    assert.equal(logger.level, 'info');
    assert.deepEqual(told(), []);
  });
}
