import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeService, runCommand } from '../../../test/kit/run-command.ts';
import { Fault } from '../../base/fault.ts';
import type { Logger as AgentLogger } from '../../wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import type { Logger as ServerLogger } from '../../wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { LogLevel } from '../../wire/gen/spire/api/types/logger_pb.ts';
import type { Command } from './command.ts';

const launchLevel = LogLevel.DEBUG;

export type LoggerCommands = {
  readonly Logger: typeof AgentLogger | typeof ServerLogger;
  readonly loggerGet: Command;
  readonly loggerSet: Command;
  readonly loggerReset: Command;
};

/** What holds for the commands of either program. */
export function loggerSuite({ Logger, loggerGet, loggerSet, loggerReset }: LoggerCommands): void {
  async function run(command: Command, ...args: string[]) {
    const asked: string[] = [];
    const logger = fakeService(Logger, {
      getLogger() {
        asked.push('get');
        return { currentLevel: LogLevel.INFO, launchLevel };
      },
      setLogLevel({ newLevel }: { readonly newLevel: LogLevel }) {
        asked.push(`set ${newLevel}`);
        return { currentLevel: newLevel, launchLevel };
      },
      resetLogLevel() {
        asked.push('reset');
        return { currentLevel: launchLevel, launchLevel };
      },
    });
    const { code, stdout, stderr } = await runCommand(command, args, { services: [logger] });
    return { code, stdout, stderr, asked };
  }

  const answers: readonly [command: Command, args: string[], stdout: string, asked: string][] = [
    [loggerGet, [], 'Logger Level : info\nLaunch Level : debug\n\n', 'get'],
    [loggerGet, ['-output', 'json'], '{"current_level":"INFO","launch_level":"DEBUG"}\n', 'get'],
    [
      loggerSet,
      ['-level', 'Warn'],
      'Logger Level : warning\nLaunch Level : debug\n\n',
      `set ${LogLevel.WARN}`,
    ],
    [
      loggerSet,
      ['-level', 'WARNING', '-output', 'json'],
      '{"current_level":"WARN","launch_level":"DEBUG"}\n',
      `set ${LogLevel.WARN}`,
    ],
    [
      loggerSet,
      ['-level', 'panic'],
      'Logger Level : panic\nLaunch Level : debug\n\n',
      `set ${LogLevel.PANIC}`,
    ],
    [loggerReset, [], 'Logger Level : debug\nLaunch Level : debug\n\n', 'reset'],
  ];
  for (const [command, args, stdout, asked] of answers) {
    test([command.name, ...args].join(' '), async () => {
      assert.deepEqual(await run(command, ...args), {
        code: 0,
        stdout,
        stderr: '',
        asked: [asked],
      });
    });
  }

  const refusals: readonly [args: string[], message: string][] = [
    [[], 'a value (-level) must be set'],
    [['-level', ''], 'a value (-level) must be set'],
    [['-level', 'loud'], 'the value "loud" is not a valid setting'],
    [['-level', '5'], 'the value "5" is not a valid setting'],
  ];
  for (const [args, message] of refusals) {
    test(`logger set refuses ${JSON.stringify(args)} without asking anybody`, async () => {
      assert.deepEqual(await run(loggerSet, ...args), {
        code: 1,
        stdout: '',
        stderr: `Error: ${message}\n`,
        asked: [],
      });
    });
  }

  const failures: readonly [command: Command, args: string[], prefix: string][] = [
    [loggerGet, [], 'error fetching logger'],
    [loggerSet, ['-level', 'info'], 'failed to set log level'],
    [loggerReset, [], 'failed to reset logger'],
  ];
  for (const [command, args, prefix] of failures) {
    test(`${command.name} tells why it failed`, async () => {
      const fail = (): never => {
        throw new Fault('denied', 'no');
      };
      const services = [
        fakeService(Logger, { getLogger: fail, setLogLevel: fail, resetLogLevel: fail }),
      ];
      const { code, stdout, stderr } = await runCommand(command, args, { services });
      assert.deepEqual([code, stdout], [1, '']);
      assert.equal(stderr, `Error: ${prefix}: rpc error: code = PermissionDenied desc = no\n`);
    });
  }

  for (const [levels, which] of [
    [{ currentLevel: LogLevel.UNSPECIFIED, launchLevel }, 'current'],
    [{ currentLevel: LogLevel.INFO, launchLevel: 42 as never }, 'launch'],
  ] as const) {
    test(`a ${which} level that there is not is no answer`, async () => {
      const services = [fakeService(Logger, { getLogger: () => levels })];
      const { code, stderr } = await runCommand(loggerGet, [], { services });
      assert.equal(code, 1);
      assert.equal(
        stderr,
        `Error: internal error: returned ${which} log level is undefined; please report this as a bug\n`,
      );
    });
  }
}
