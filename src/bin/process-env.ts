import { realpathSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { systemClock } from '../base/clock.ts';
import type { Env, Host } from '../cli/kit/env.ts';

/** What a shell reports for a program whose reader has gone: 128 and the number of SIGPIPE. */
const EXIT_BROKEN_PIPE = 141;

/** The world as it is, for one run of a program. What few commands need is loaded when it is needed. */
export function processEnv(): Env {
  // Nobody reads what we have to say: there is nothing left to do.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT_BROKEN_PIPE : 1);
  });
  return {
    args: process.argv.slice(2),
    variables: process.env,
    get cwd() {
      return process.cwd();
    },
    stdout: process.stdout,
    stderr: process.stderr,
    readStdin: () => buffer(process.stdin),
    clock: systemClock,
    dial: async (options) => (await import('../rpc/dial.ts')).dial(options),
    signals: {
      on(names, listener) {
        for (const name of names) process.on(name, listener);
        return {
          [Symbol.dispose]() {
            for (const name of names) process.off(name, listener);
          },
        };
      },
    },
    host,
  };
}

const host: Host = {
  readFile: async (path) => (await import('../ops/config-env.ts')).configFiles.readFile(path),
  resolveHost: async (name) => (await import('../ops/config-env.ts')).configFiles.resolveHost(name),
  openLog: async (settings) => (await import('../ops/open-log.ts')).openLog(settings),
  umask: (mask) => (mask === undefined ? process.umask() : process.umask(mask)),
  inspected: async () => process.getBuiltinModule('node:inspector').url() !== undefined,
  homeFolder: () => userInfo().homedir,
  launcher: (program) => join(dirname(realpathSync(process.argv[1] ?? '')), '..', 'bin', program),
  onBug(listener) {
    const tell = (error: Error): void => {
      process.stderr.write(`${error.stack ?? String(error)}\n`);
      listener(error);
    };
    process.on('uncaughtException', tell);
    return {
      [Symbol.dispose]() {
        process.off('uncaughtException', tell);
      },
    };
  },
  exit: (code) => {
    process.exit(code);
  },
};
