import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from './fault.ts';

export type WriteOptions = {
  /** The new file's mode, before the umask. */
  readonly mode: number;
};

/**
 * Replaces a file so that a crash at any moment leaves the old content or the new, never a part; when it resolves,
 * the new content is durable. Writes `<path>.tmp` first, as SPIRE does, so that a crash leaves no copies behind;
 * whoever owns the path runs one write at a time.
 */
export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string,
  { mode }: WriteOptions,
): Promise<void> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { force: true }); // what a crash left
  try {
    await writeDurably(temporary, content, mode);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first failure is the one to tell
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeDurably(path: string, content: Uint8Array | string, mode: number) {
  await using file = await open(path, 'wx', mode);
  await file.writeFile(content);
  await file.sync();
}

/** A rename is durable when the folder that holds the names is. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/**
 * The whole file, or a Fault 'invalid' if it is longer than `maxBytes`, so that a wrong path (a device, a log) cannot
 * cost us the memory. Other failures reject with Node's error; `goFileError` has Go's words for it.
 */
export async function readFileBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  await using file = await open(path, 'r');
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES);
    if (bytesRead === 0) return Buffer.concat(chunks, length);
    length += bytesRead;
    if (length > maxBytes) {
      throw new Fault('invalid', `${path} is longer than ${maxBytes} bytes`);
    }
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

const CHUNK_BYTES = 64 * 1024;
