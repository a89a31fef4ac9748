import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MILLISECONDS = 30_000;

/** A program of the demo, with all that it has written. */
export class DemoProgram {
  readonly child: ChildProcess;
  output = '';
  readonly #ended: Promise<number>;

  constructor(command: readonly string[], options: SpawnOptions = {}) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.#ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => {
        resolve(code ?? 1);
      });
    });
    // Whoever waits for its end hears of a failure to start.
    this.#ended.catch(() => {});
  }

  get #runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** All that it wrote; throws unless it ends with the expected exit code. */
  async result(expectedCode = 0): Promise<string> {
    const code = await this.#ended;
    if (code !== expectedCode) {
      throw new Error(`${this.child.spawnargs.join(' ')} ended with ${code}:\n${this.output}`);
    }
    return this.output.trim();
  }

  async stop(): Promise<void> {
    if (this.#runs) this.child.kill('SIGTERM');
    await this.#ended;
  }

  /** Until `condition` holds; throws when the program ends before. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MILLISECONDS;
    while (!(await condition())) {
      if (!this.#runs || Date.now() > deadline) {
        throw new Error(`${this.child.spawnargs.join(' ')} is not ready:\n${this.output}`);
      }
      await pause(20);
    }
  }
}

/** Whether somebody listens on that Unix socket. */
export function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
