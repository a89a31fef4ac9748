import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeService, runCommand } from '../../../test/kit/run-command.ts';
import { Logger } from '../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { LogLevel } from '../../wire/gen/spire/api/types/logger_pb.ts';
import { loggerGet } from '../agent/logger/get.ts';

const levels = { currentLevel: LogLevel.INFO, launchLevel: LogLevel.INFO };
const services = [fakeService(Logger, { getLogger: () => levels })];

const rows: readonly [args: string[], address: string, shown: string][] = [
  [[], 'unix:/tmp/spire-agent/private/admin.sock', 'unix:///tmp/spire-agent/private/admin.sock'],
  [
    ['-socketPath', ''],
    'unix:/tmp/spire-agent/private/admin.sock',
    'unix:///tmp/spire-agent/private/admin.sock',
  ],
  [['-socketPath', '/a/b.sock'], 'unix:/a/b.sock', 'unix:///a/b.sock'],
  [['-socketPath', 'a/b.sock'], 'unix:a/b.sock', 'unix:a/b.sock'],
];
for (const [args, address, shownAddress] of rows) {
  test(`${JSON.stringify(args)} dials ${address}`, async () => {
    const { code, dialled } = await runCommand(loggerGet, args, { services });
    assert.equal(code, 0);
    assert.deepEqual(dialled, [{ address, shownAddress }]);
  });
}

test('no variable names the socket, and there are no instances', async () => {
  const variables = { SPIRE_AGENT_PUBLIC_SOCKET: '/other.sock' };
  const { dialled } = await runCommand(loggerGet, [], { services, variables });
  assert.equal(dialled[0]?.address, 'unix:/tmp/spire-agent/private/admin.sock');
  const { code, stderr } = await runCommand(loggerGet, ['-instance', 'a'], { services });
  assert.equal(code, 1);
  assert.match(stderr, /^flag provided but not defined: -instance\n/);
});
