import { Fault, wrapFault } from '../../../base/fault.ts';
import { readFileBounded, writeFileAtomically } from '../../../base/files.ts';
import { goFileError } from '../../../base/go-file-error.ts';
import type { SvidStore } from '../contract.ts';
import { parseMetadata } from '../metadata.ts';
import { type SecretPayload, secretPayload } from '../secret-payload.ts';

/** Some ten thousand SVIDs. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** It holds private keys. */
const MODE = 0o600;

/**
 * SVIDs by name in one JSON file, which is written whole at each change. A file that is there is taken over, so that a
 * restart deletes what it should; one that cannot be understood is refused and left as it is.
 */
export async function openDiskStore(path: string): Promise<SvidStore> {
  let stored = await readStore(path);
  const write = async (changed: ReadonlyMap<string, SecretPayload>): Promise<void> => {
    const text = JSON.stringify(Object.fromEntries(changed));
    await writeFileAtomically(path, text, { mode: MODE }).catch((error: unknown) => {
      throw goFileError('open', path, error);
    });
    stored = changed;
  };
  if (stored.size === 0) await write(stored); // tells now whether it can be written
  return {
    name: 'disk',
    async put(svid, metadata) {
      await write(new Map(stored).set(nameOf(metadata), secretPayload(svid)));
    },
    async delete(metadata) {
      const name = nameOf(metadata);
      if (!stored.has(name)) return;
      const changed = new Map(stored);
      changed.delete(name);
      await write(changed);
    },
    async [Symbol.asyncDispose]() {},
  };
}

function nameOf(metadata: readonly string[]): string {
  const name = parseMetadata(metadata).get('name') ?? '';
  if (name === '') throw new Fault('invalid', 'name must be specified');
  return name;
}

async function readStore(path: string): Promise<ReadonlyMap<string, SecretPayload>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFileBounded(path, MAX_FILE_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw goFileError('open', path, error);
  }
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new Fault('invalid', 'expected a JSON object');
    }
    return new Map(Object.entries(json as Record<string, SecretPayload>));
  } catch (error) {
    const what = `${path} is no file of this store; nothing was changed`;
    throw wrapFault(what, error, 'invalid');
  }
}
