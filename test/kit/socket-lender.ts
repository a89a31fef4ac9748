import { join } from 'node:path';
import { Program, type ProgramOptions } from './programs.ts';

/** Passes on whatever comes over the connection that it was given as descriptor 3. */
export const HOLDER = `
const { createServer, Socket } = require('node:net');
const far = new Socket({ fd: 3, readable: true, writable: true });
far.pause();
const server = createServer((near) => {
  near.pipe(far).pipe(near);
  near.on('error', () => {}).on('close', () => far.destroy());
  far.on('error', () => {}).on('close', () => near.destroy());
});
server.listen(process.argv[1], () => process.stdout.write('holding ' + process.pid + '\\n'));
far.on('close', () => process.exit());
`;

/** Connects, and hands its connection to another process; then it does as it is told. */
const LENDER = `
const { spawn } = require('node:child_process');
const { connect } = require('node:net');
const [target, path, holder] = process.argv.slice(1);
const socket = connect(target, () => {
  socket.pause();
  spawn(process.execPath, ['-e', holder, path], {
    stdio: ['ignore', 'inherit', 'inherit', socket], detached: true,
  }).unref();
});
process.stdin.on('data', (program) => {
  process.execve(String(program).trim(), ['sleep', '600'], process.env);
});
`;

/** A process that has connected to a socket, and another one that holds a copy of the connection. */
export class SocketLender implements AsyncDisposable {
  /** Whoever connects here, once, speaks over the connection. */
  readonly path: string;
  readonly #program: Program;
  #holder = 0;

  private constructor(path: string, program: Program) {
    this.path = path;
    this.#program = program;
  }

  /** Both are of the user that `options` say, who may write to the folder and run `node`. */
  static async start(
    folder: string,
    name: string,
    target: string,
    { node = process.execPath, ...options }: ProgramOptions & { readonly node?: string } = {},
  ): Promise<SocketLender> {
    const path = join(folder, `${name}.lent`);
    const program = new Program([node, '-e', LENDER, target, path, HOLDER], options);
    const lender = new SocketLender(path, program);
    const [, pid] = await program.says(/^holding (\d+)$/m);
    lender.#holder = Number(pid);
    return lender;
  }

  /** The process that connected. */
  get pid(): number {
    return this.#program.child.pid ?? 0;
  }

  /** It runs another program from now on: `/bin/sleep`, or what is like it. */
  become(sleep = '/bin/sleep'): void {
    this.#program.child.stdin?.write(`${sleep}\n`);
  }

  /** Ends the process that connected, and leaves the one that holds the connection. */
  async die(): Promise<void> {
    await this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(this.#holder, 'SIGKILL');
    } catch {
      // It ends with its connection.
    }
    await this.#end();
  }

  /** The holder keeps the pipes open, so that only the process itself is waited for. */
  async #end(): Promise<void> {
    const { child } = this.#program;
    if (!this.#program.running) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }
}
