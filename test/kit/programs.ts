import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

export const root = join(import.meta.dirname, '../..');
/** The folder of the launchers; STEEPLE_BIN names that of another build. */
export const binaries = process.env['STEEPLE_BIN'] ?? join(root, 'bin');
/** The launchers, as a user calls them. */
export const spireServer = join(binaries, 'spire-server');
export const spireAgent = join(binaries, 'spire-agent');
export const steeple = join(binaries, 'steeple');

/** Whatever a test waits for has come by then, on the slowest machine. */
const PATIENCE_MILLISECONDS = 30_000;

export type ProgramOptions = {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
};

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A running program, and what it has written so far. */
export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';

  constructor(command: readonly string[], { env, ...options }: ProgramOptions = {}) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...options,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    // A program that ends before it has read its input is judged by its exit.
    this.child.stdin?.on('error', () => {});
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code, signal) => {
        resolve({ code, signal });
      });
    });
    this.exited.catch(() => {});
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Until its output matches. Fails when the program ends first. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    await eventually(
      () => {
        found = pattern.exec(this.output);
        if (found === null && !this.running) {
          throw new Error(`the program ended without saying ${pattern}:\n${this.output}`);
        }
        return found !== null;
      },
      () => `${pattern} in:\n${this.output}`,
    );
    return found ?? assert.fail();
  }

  /** Ends it, and waits until it has. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.running) this.child.kill(signal);
    return this.exited;
  }
}

/** Starts a program that ends with the test at the latest. */
export function startProgram(
  t: TestContext,
  command: readonly string[],
  options?: ProgramOptions,
): Program {
  const program = new Program(command, options);
  t.after(() => program.stop('SIGKILL'));
  return program;
}

export type Outcome = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs a program to its end. */
export async function runProgram(
  command: readonly string[],
  { input = '', ...options }: ProgramOptions & { readonly input?: string } = {},
): Promise<Outcome> {
  const program = new Program(command, options);
  program.child.stdin?.end(input);
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Polls until the condition holds; fails with `what` after a deadline. What it throws fails at once. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  patienceMilliseconds = PATIENCE_MILLISECONDS,
): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) {
      assert.fail(`waited in vain for ${typeof what === 'string' ? what : what()}`);
    }
    await pause(20);
  }
}

/** Whether somebody listens there: `{ path }` or `{ host, port }`. */
export function accepts(address: { path: string } | { host: string; port: number }) {
  return new Promise<boolean>((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}
