import { chmod, chown, copyFile, link, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, eventually, Program } from './programs.ts';

/** Passes on whatever comes, both ways. It stands for a workload, whose user the agent asks the kernel for. */
const SCRIPT = `
const { connect, createServer } = require('node:net');
const [target, path] = process.argv.slice(1);
createServer((near) => {
  const far = connect(target);
  near.pipe(far).pipe(near);
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on('error', () => {}).on('close', () => other.destroy());
  }
}).listen(path);
`;

/** A process of another user that stands between a test and a socket. */
export class Relay implements AsyncDisposable {
  /** Whoever connects here reaches the socket as that process. */
  readonly path: string;
  readonly #program: Program;

  private constructor(path: string, program: Program) {
    this.path = path;
    this.#program = program;
  }

  /** Needs root. The folder must be one that the user may enter. */
  static async start(folder: string, socketPath: string, uid: number): Promise<Relay> {
    const own = join(folder, `relay-${uid}-${socketPath.split('/').at(-1)}`);
    await mkdir(own);
    const node = await reachableNode(own);
    await chown(own, uid, uid);
    const path = join(own, 's');
    const program = new Program([node, '-e', SCRIPT, socketPath, path], {
      uid,
      gid: uid,
      cwd: own,
    });
    await eventually(() => {
      if (!program.running) throw new Error(`the relay ended: ${program.output}`);
      return accepts({ path });
    }, 'the relay');
    return new Relay(path, program);
  }

  get pid(): number | undefined {
    return this.#program.child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop('SIGKILL');
  }
}

/** A checkout may lie where other users cannot reach it, so that they get an executable of their own. */
export async function reachableNode(folder: string): Promise<string> {
  const path = join(folder, 'node');
  await link(process.execPath, path).catch(() => copyFile(process.execPath, path));
  await chmod(path, 0o755);
  return path;
}
