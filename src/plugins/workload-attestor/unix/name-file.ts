import { stat } from 'node:fs/promises';
import { readFileBounded } from '../../../base/files.ts';

/** The names of users or groups, by number. */
export interface NameFile {
  /** Undefined where there is none, or the file cannot be read. */
  nameOf(id: string): Promise<string | undefined>;
}

/** A hundred thousand accounts. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

type Loaded = { readonly version: string; readonly names: Promise<ReadonlyMap<string, string>> };

/**
 * Reads a file like `/etc/passwd` (7 fields) or `/etc/group` (4 fields), as Go's own look-up does: no name service is
 * asked. Kept until the file changes.
 */
export function createNameFile(path: string, { fields }: { readonly fields: number }): NameFile {
  let loaded: Loaded | undefined;
  const load = async () => {
    const text = Buffer.from(await readFileBounded(path, MAX_FILE_BYTES)).toString('utf8');
    return parseNames(text, fields);
  };
  return {
    async nameOf(id) {
      try {
        const version = await versionOf(path);
        if (loaded?.version !== version) loaded = { version, names: load() };
        return (await loaded.names).get(id);
      } catch {
        return undefined; // without the file there are no names, as in the reference
      }
    },
  };
}

/** Differs when the file was written or replaced. */
async function versionOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
  return [dev, ino, size, mtimeNs].join(':');
}

/** Of several names for one number the first counts. Comments, NIS lines (`+`, `-`) and malformed lines are skipped. */
export function parseNames(text: string, fields: number): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const line of text.split('\n')) {
    const parts = line.trim().split(':');
    const [name = '', , id = ''] = parts;
    const wellFormed = parts.length >= fields && /^[0-9]+$/.test(id) && !/^(?:[#+-]|$)/.test(name);
    if (wellFormed && !names.has(id)) names.set(id, name);
  }
  return names;
}
