import { Fault, reasonOf, wrapFault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { type PluginSection, type ReadFile, withDataFile } from '../catalog/plugin-sections.ts';
import { validatePlugin } from '../catalog/validate-plugin.ts';
import { serverKeyManagers } from '../plugins/key-manager/builtins.ts';
import { serverNodeAttestors } from '../plugins/node-attestor/builtins.ts';
import { upstreamAuthorities } from '../plugins/upstream-authority/builtins.ts';
import { readDatastoreFile } from './config/datastore.ts';
import { countComplaint, serverPluginKinds } from './config/plugin-kinds.ts';
import type { DatastoreSettings, ServerConfig } from './config/server-config.ts';

/** What is wrong, by plugin: `KeyManager "disk"`, or the kind alone where their number is wrong. */
export type PluginNotes = ReadonlyMap<string, readonly string[]>;

/**
 * Has every enabled plugin check its settings (`reference/cli.md` §4.4); nothing is started. Throws where SPIRE could
 * not even ask: a kind or a plugin that nobody knows.
 */
export async function validateServerPlugins(
  { plugins, datastore }: Pick<ServerConfig, 'plugins' | 'datastore'>,
  readFile: ReadFile,
): Promise<PluginNotes> {
  const notes = new Map<string, readonly string[]>(
    (await datastoreNotes(datastore, readFile)).map((texts) => ['DataStore "sql"', texts]),
  );
  const counts = new Map<string, number>();
  for (const section of plugins) {
    const { type, name } = section;
    const title = `${type} ${goQuote(name)}`;
    let whole: PluginSection;
    try {
      whole = await withDataFile(section, readFile);
    } catch (error) {
      notes.set(title, [`failed to read plugin configuration: ${reasonOf(error)}`]);
      continue;
    }
    counts.set(type, (counts.get(type) ?? 0) + 1);
    const texts = await pluginNotes(whole);
    if (texts.length > 0) notes.set(title, texts);
  }
  for (const [type, kind] of Object.entries(serverPluginKinds)) {
    const complaint = kind && countComplaint(kind, counts.get(type) ?? 0);
    if (complaint !== undefined) notes.set(type, [`constraint not satisfied: ${complaint}`]);
  }
  return notes;
}

/** SPIRE lists each complaint about it twice. */
async function datastoreNotes(
  datastore: DatastoreSettings | undefined,
  readFile: ReadFile,
): Promise<string[][]> {
  if (datastore === undefined) return [["'datastore' must be configured"]];
  const { complaints } = await readDatastoreFile(datastore, readFile).catch((error: unknown) => {
    throw wrapFault('failed to get DataStore configuration', error);
  });
  return complaints.length === 0 ? [] : [[...complaints, ...complaints]];
}

async function pluginNotes(section: PluginSection): Promise<readonly string[]> {
  const { type, name, command } = section;
  const kind = serverPluginKinds[type];
  if (kind === undefined) throw new Fault('invalid', `unsupported plugin type ${goQuote(type)}`);
  if (command !== undefined) {
    if (type !== 'NodeAttestor' || name !== 'join_token') return [];
    throw new Fault(
      'invalid',
      'the built-in join_token node attestor cannot be overridden by an external plugin',
    );
  }
  // What is in nobody's power yet to check is told beside the verdict.
  if (kind.later.includes(name)) return [];
  switch (type) {
    case 'KeyManager':
      return await validatePlugin({ kind: type, builtIns: serverKeyManagers }, section);
    case 'NodeAttestor':
      return await validatePlugin({ kind: type, builtIns: serverNodeAttestors }, section);
    case 'UpstreamAuthority':
      return await validatePlugin({ kind: type, builtIns: upstreamAuthorities }, section);
    default:
      throw new Fault(
        'invalid',
        `failed to load plugin ${goQuote(name)}: no built-in plugin ${goQuote(name)} for type ${goQuote(type)}`,
      );
  }
}
