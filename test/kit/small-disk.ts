import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './programs.ts';

/** A file system of its own in memory, small enough to be filled. Needs root. */
export class SmallDisk implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async mount(folder: string, { kilobytes }: { kilobytes: number }): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true });
    const options = `size=${kilobytes}k,mode=0700`;
    const { code, stderr } = await runProgram([
      'mount',
      '-t',
      'tmpfs',
      '-o',
      options,
      'none',
      folder,
    ]);
    if (code !== 0) throw new Error(`no small disk can be mounted: ${stderr.trim()}`);
    return new SmallDisk(folder);
  }

  /** Takes all the room that is left. */
  async fill(): Promise<void> {
    await using file = await open(this.#filler, 'a');
    for (const bytes of [64 * 1024, 4096, 1]) {
      while (await fits(file.write(new Uint8Array(bytes))));
    }
  }

  /** Gives back what `fill` took. */
  async makeRoom(): Promise<void> {
    await rm(this.#filler, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runProgram(['umount', '--lazy', this.#folder]);
  }

  get #filler(): string {
    return join(this.#folder, 'filler');
  }
}

async function fits(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return false;
  }
}

/** What to give a test as `skip` where it needs a small disk. Under CI it must be had. */
export async function noSmallDisk(): Promise<string | false> {
  const folder = await mkdtemp(join(tmpdir(), 'disk-'));
  try {
    await using _disk = await SmallDisk.mount(folder, { kilobytes: 64 });
    return false;
  } catch (error) {
    return process.env['CI'] === undefined ? String(error) : false;
  } finally {
    await rm(folder, { recursive: true });
  }
}
