import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Fault } from '../../../base/fault.ts';
import { goFileError } from '../../../base/go-file-error.ts';

const CHUNK_BYTES = 64 * 1024;

/** Tells a file from all others, whatever it is called. */
export type FileIdentity = { readonly dev: number; readonly ino: number };

export type HashedFile = FileIdentity & {
  /** SHA-256 in lower-case hex. */
  readonly digest: string;
};

/** A limit above 0 is checked before anything is read. Throws in SPIRE's words. */
export async function hashFile(
  path: string,
  sizeLimit: number,
  signal: AbortSignal,
): Promise<HashedFile> {
  await using file = await open(path, 'r').catch((error: unknown) => {
    throw goFileError('open', path, error);
  });
  const { size, dev, ino } = await file.stat();
  if (sizeLimit > 0 && size > sizeLimit) {
    throw new Fault('internal', `workload ${path} exceeds size limit (${size} > ${sizeLimit})`);
  }
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
    if (bytesRead === 0) return { digest: hash.digest('hex'), dev, ino };
    hash.update(chunk.subarray(0, bytesRead));
  }
}
