import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCall } from '../../../../test/kit/api-call.ts';
import { createLevelControl } from '../../../ops/level-control.ts';
import { createLogger } from '../../../ops/logger.ts';
import { getLogger } from './get-logger.ts';
import { resetLogLevel } from './reset-log-level.ts';
import { setLogLevel } from './set-log-level.ts';

const world = () => {
  const log = createLogger({ level: 'info', format: '', sink: { write() {} } });
  return { deps: { logLevels: createLevelControl(log) }, call: testCall(), log };
};

test('the level is shown, changed and set back, and each is logged before it happens', async () => {
  const { deps, call, log } = world();
  assert.deepEqual(await getLogger(deps, call), { currentLevel: 5, launchLevel: 5 });
  assert.deepEqual(await setLogLevel(deps, { newLevel: 4 }, call), {
    currentLevel: 4,
    launchLevel: 5,
  });
  assert.equal(log.level, 'warning');
  assert.deepEqual(call.audited, { new_log_level: 'WARN' });
  assert.deepEqual(await resetLogLevel(deps, call), { currentLevel: 5, launchLevel: 5 });
  assert.equal(log.level, 'info');
  assert.deepEqual(call.lines, [
    { message: 'GetLogger Called', fields: {} },
    { message: 'SetLogLevel Called', fields: { new_log_level: 'warning' } },
    { message: 'ResetLogLevel Called', fields: { launch_log_level: 'info' } },
  ]);
});

for (const [newLevel, message, name] of [
  [0, 'newLevel value cannot be LogLevel_UNSPECIFIED', 'UNSPECIFIED'],
  [99, 'unsupported log level', '99'],
] as const) {
  test(`level ${newLevel} is refused and changes nothing`, async () => {
    const { deps, call, log } = world();
    const request = { newLevel: newLevel as never };
    await assert.rejects(setLogLevel(deps, request, call), { kind: 'invalid', message });
    assert.equal(log.level, 'info');
    assert.deepEqual(call.audited, { new_log_level: name });
    assert.deepEqual(call.lines, []);
  });
}
