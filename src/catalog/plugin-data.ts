import { hash } from 'node:crypto';
import { wrapFault } from '../base/fault.ts';
import { readFileBounded } from '../base/files.ts';
import type { Settings } from '../base/settings.ts';
import type { PluginDeclaration } from './plugin.ts';
import { parseDataFile, readDataFile } from './plugin-sections.ts';

/** What a plugin is configured with. */
export type PluginData = {
  readonly settings: Settings | undefined;
  /** Tells contents of the file apart; undefined for data that is not in a file. */
  readonly hash: string | undefined;
};

/** Of the SHA-512, which SPIRE shows so much of (`reference/server.md` §3). */
const HASH_HEX_DIGITS = 32;

/** Throws with SPIRE's words where a `plugin_data_file` cannot be read. */
export async function readPluginData({
  data,
  dataFile,
}: Pick<PluginDeclaration, 'data' | 'dataFile'>): Promise<PluginData> {
  if (dataFile === undefined) return { settings: data, hash: undefined };
  try {
    const bytes = await readDataFile(dataFile, readFileBounded);
    return {
      settings: parseDataFile(bytes, dataFile),
      hash: hash('sha512', bytes, 'hex').slice(0, HASH_HEX_DIGITS),
    };
  } catch (error) {
    throw wrapFault('failed to load plugin data', error);
  }
}
