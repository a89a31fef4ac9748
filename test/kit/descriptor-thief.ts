import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Program } from './programs.ts';
import { HOLDER } from './socket-lender.ts';

/** Connects, says by which descriptor, and lives as long as who started it. */
const TRUSTED = `
const { connect } = require('node:net');
const socket = connect(process.argv[1], () => {
  socket.pause();
  process.stdout.write(socket._handle.fd + '\\n');
});
process.stdin.on('end', () => process.exit()).resume();
`;

/** Starts a program that connects, and takes its connection out of it as a debugger may: pidfd_open, pidfd_getfd. */
const THIEF = `
const { spawn } = require('node:child_process');
const [koffi, trusted, script, target, path, holder] = process.argv.slice(1);
const syscall = require(koffi).load(null).func('long syscall(long number, long a, long b, long c)');
const victim = spawn(trusted, ['-e', script, target], { stdio: ['pipe', 'pipe', 'inherit'] });
victim.stdout.once('data', (number) => {
  const stolen = Number(syscall(438, syscall(434, victim.pid, 0, 0), Number(number), 0));
  if (stolen < 0) throw new Error('the kernel does not allow it: errno ' + require(koffi).errno());
  spawn(process.execPath, ['-e', holder, path], { stdio: ['ignore', 'inherit', 'inherit', stolen] });
});
`;

/** A process that runs a trusted program, and speaks over the connection which that one has made. */
export class DescriptorThief implements AsyncDisposable {
  /** Whoever connects here, once, speaks over the connection. */
  readonly path: string;
  readonly #program: Program;
  #holder = 0;

  private constructor(path: string, program: Program) {
    this.path = path;
    this.#program = program;
  }

  /** `trusted` is a Node by another path. */
  static async start(folder: string, trusted: string, target: string): Promise<DescriptorThief> {
    const path = join(folder, 'stolen.sock');
    const koffi = createRequire(import.meta.url).resolve('koffi');
    const words = ['-e', THIEF, koffi, trusted, TRUSTED, target, path, HOLDER];
    const thief = new DescriptorThief(path, new Program([process.execPath, ...words]));
    const [, pid] = await thief.#program.says(/^holding (\d+)$/m);
    thief.#holder = Number(pid);
    return thief;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(this.#holder, 'SIGKILL');
    } catch {
      // It ends with its connection.
    }
    await this.#program.stop();
  }
}
