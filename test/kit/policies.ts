import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export type TestPolicy = 'builtin' | 'data' | 'table';

/** A compiled policy of `test/data/policies`. */
export const policyWasm = async (name: TestPolicy): Promise<Buffer> =>
  gunzipSync(await readFile(join(import.meta.dirname, `../data/policies/${name}.wasm.gz`)));

/** Such a policy and its data as files. */
export async function policyFiles(folder: string, name: TestPolicy, data: unknown) {
  const wasmPath = join(folder, `${name}.wasm`);
  const dataPath = join(folder, `${name}.json`);
  await writeFile(wasmPath, await policyWasm(name));
  await writeFile(dataPath, JSON.stringify(data));
  return { wasmPath, dataPath };
}
