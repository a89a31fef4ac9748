import { readdir, readFile } from 'node:fs/promises';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where in the sources a place of the running program comes from; undefined where that is not known. */
export type SourcePlaces = (
  file: string,
  line: number,
  column: number,
) => { readonly file: string; readonly line: number } | undefined;

export const unknownPlaces: SourcePlaces = () => undefined;

/**
 * Reads the source maps that lie beside a bundled program. Takes some megabytes: for logs that tell where lines were
 * written. Without maps nothing is known, and sources that run as they are need none. Never rejects.
 */
export async function readSourcePlaces(program = process.argv[1] ?? ''): Promise<SourcePlaces> {
  const folder = dirname(program);
  const folders = [folder, join(folder, 'chunks')];
  const found = await Promise.all(folders.map(readMaps));
  const maps = new Map(found.flat());
  return (file, line, column) => {
    const entry = maps.get(pathOf(file))?.findEntry(line - 1, column - 1);
    if (entry === undefined || !('originalSource' in entry)) return undefined;
    return { file: basename(entry.originalSource), line: entry.originalLine + 1 };
  };
}

const SUFFIX = '.map';

async function readMaps(folder: string): Promise<(readonly [path: string, map: SourceMap])[]> {
  const names = await readdir(folder).catch(() => []);
  const maps = names
    .filter((name) => name.endsWith(`.js${SUFFIX}`))
    .map(async (name) => {
      try {
        const payload = JSON.parse(await readFile(join(folder, name), 'utf8')) as SourceMapPayload;
        return [[join(folder, name.slice(0, -SUFFIX.length)), new SourceMap(payload)] as const];
      } catch {
        return []; // a map that cannot be read costs the places of one file
      }
    });
  return (await Promise.all(maps)).flat();
}

const pathOf = (file: string): string => (file.startsWith('file:') ? fileURLToPath(file) : file);
