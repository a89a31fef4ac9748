import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logLevels } from '../ops/log.ts';
import { LogLevelSchema } from './gen/spire/api/types/logger_pb.ts';
import { loggerToProto, logLevelFromProto, logLevelToProto } from './log-level.ts';

test('the levels are numbered from PANIC, the quietest, to TRACE', () => {
  assert.deepEqual(logLevels.map(logLevelToProto), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(logLevels.map(logLevelToProto).map(logLevelFromProto), [...logLevels]);
  assert.equal(LogLevelSchema.values.length, logLevels.length + 1);
});

test('an answer tells the current level and that of the launch', () => {
  assert.deepEqual(loggerToProto({ current: 'warning', launch: 'info' }), {
    currentLevel: 4,
    launchLevel: 5,
  });
});

for (const [level, message] of [
  [0, 'newLevel value cannot be LogLevel_UNSPECIFIED'],
  [8, 'unsupported log level'],
  [-1, 'unsupported log level'],
] as const) {
  test(`refuses level ${level}`, () => {
    assert.throws(() => logLevelFromProto(level as never), { kind: 'invalid', message });
  });
}
