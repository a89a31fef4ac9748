/**
 * Loaded before a program (`--import`) whose bundle was just built: compiles all that the program may load later, so that
 * the compile cache is complete where `dist/` cannot be written by those who run it.
 */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const chunks = join(dirname(process.argv[1] ?? ''), 'chunks');
for (const name of await readdir(chunks)) {
  if (name.endsWith('.js')) await import(pathToFileURL(join(chunks, name)).href);
}
