import { readFile, writeFile } from 'node:fs/promises';
import { goFileError } from '../../base/go-file-error.ts';
import type { Env } from './env.ts';

/** Who may read what a command writes (`reference/cli.md` §2.4); the umask comes on top. */
export const fileModes = { private: 0o600, public: 0o644 } as const;

/** A file's bytes; `-` is standard input. Throws with Go's words, such as `open x: no such file or directory`. */
export async function readInput(path: string, env: Pick<Env, 'readStdin'>): Promise<Uint8Array> {
  return path === '-' ? env.readStdin() : readInputFile(path);
}

/** The same where `-` is a name like any other. */
export async function readInputFile(path: string): Promise<Uint8Array> {
  return await readFile(path).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });
}

/** Creates or replaces the content of a file; one that exists keeps its mode. Throws with Go's words. */
export async function writeOutput(
  path: string,
  content: Uint8Array | string,
  mode: (typeof fileModes)[keyof typeof fileModes],
): Promise<void> {
  await writeFile(path, content, { mode }).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });
}
