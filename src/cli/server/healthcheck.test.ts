import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answers, fakeService, runCommand } from '../../../test/kit/run-command.ts';
import { Fault } from '../../base/fault.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { healthcheck as agentHealthcheck } from '../agent/healthcheck.ts';
import { healthcheck as serverHealthcheck } from './healthcheck.ts';

const serving: Answers<typeof Health> = { check: () => ({ status: Status.SERVING }) };
const notServing: Answers<typeof Health> = { check: () => ({ status: Status.NOT_SERVING }) };
const down: Answers<typeof Health> = {
  check: () => {
    throw new Fault('unavailable', 'gone');
  },
};
const GONE = 'Failed to check health: rpc error: code = Unavailable desc = gone\n';

const rows: readonly [
  who: 'Server' | 'Agent',
  args: string[],
  answers: Answers<typeof Health>,
  outcome: { code: number; stdout: string; stderr: string },
][] = [
  ['Server', [], serving, { code: 0, stdout: 'Server is healthy.\n', stderr: '' }],
  ['Server', ['-shallow'], serving, { code: 0, stdout: 'Server is healthy.\n', stderr: '' }],
  [
    'Server',
    ['-verbose'],
    serving,
    { code: 0, stdout: 'Checking server health...\nServer is healthy.\n', stderr: '' },
  ],
  [
    'Server',
    [],
    notServing,
    {
      code: 1,
      stdout: '',
      stderr: 'Error: server is unhealthy: server returned status "NOT_SERVING"\n',
    },
  ],
  [
    'Server',
    [],
    down,
    { code: 1, stdout: '', stderr: 'Error: server is unhealthy: unable to determine health\n' },
  ],
  [
    'Server',
    ['-verbose'],
    down,
    {
      code: 1,
      stdout: 'Checking server health...\n',
      stderr: `${GONE}Error: server is unhealthy: unable to determine health\n`,
    },
  ],
  [
    'Server',
    ['-instance', 'x'],
    serving,
    {
      code: 1,
      stdout: '',
      stderr:
        'Error: you must define SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE to use the instance flag\n',
    },
  ],
  ['Agent', [], serving, { code: 0, stdout: 'Agent is healthy.\n', stderr: '' }],
  [
    'Agent',
    [],
    notServing,
    {
      code: 1,
      stdout: '',
      stderr: 'Agent is unhealthy: agent returned status "NOT_SERVING"\n',
    },
  ],
  [
    'Agent',
    ['-verbose'],
    down,
    {
      code: 1,
      stdout: 'Checking agent health...\n',
      stderr: `${GONE}Agent is unhealthy: unable to determine health\n`,
    },
  ],
  [
    'Agent',
    ['-verbose', '-instance', 'x'],
    serving,
    {
      code: 1,
      stdout: 'Checking agent health...\n',
      stderr:
        'Agent is unhealthy:  SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE environment variable must be defined when using the instance flag\n',
    },
  ],
];
for (const [who, args, answers, expected] of rows) {
  const name = Object.entries({ serving, notServing, down }).find(([, row]) => row === answers);
  test(`${who} healthcheck ${args.join(' ')} (${name?.[0]})`, async () => {
    const command = who === 'Server' ? serverHealthcheck : agentHealthcheck;
    const services = [fakeService(Health, answers)];
    const { code, stdout, stderr } = await runCommand(command, args, { services });
    assert.deepEqual({ code, stdout, stderr }, expected);
  });
}

test('neither knows -output, and both say so once', async () => {
  for (const [command, title] of [
    [serverHealthcheck, 'healthcheck'],
    [agentHealthcheck, 'health'],
  ] as const) {
    const { code, stderr } = await runCommand(command, ['-output', 'json']);
    assert.equal(code, 1);
    assert.ok(
      stderr.startsWith(`flag provided but not defined: -output\nUsage of ${title}:\n`),
      stderr,
    );
    assert.equal(stderr.match(/not defined/g)?.length, 1);
  }
});
