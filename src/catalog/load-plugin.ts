import { Fault, kindOf, reasonOf, wrapFault } from '../base/fault.ts';
import { readFileBounded } from '../base/files.ts';
import { goQuote } from '../base/go-quote.ts';
import { Settings } from '../base/settings.ts';
import type { Log } from '../ops/log.ts';
import { rpcErrorText } from '../rpc/status.ts';
import type { BuiltIns, Plugin, PluginDeclaration } from './plugin.ts';
import { withDataFile } from './plugin-sections.ts';

/** The kinds, as configuration files name them. */
export type PluginKind = 'KeyManager' | 'NodeAttestor' | 'UpstreamAuthority' | 'WorkloadAttestor';

export type LoadPluginDeps<Env, Contract> = {
  readonly kind: PluginKind;
  readonly builtIns: BuiltIns<Plugin<Env, Contract>>;
  readonly log: Log;
  /** Gets a log whose lines say which plugin they are of. */
  readonly env: (log: Log) => Env;
};

/**
 * Loads and configures one plugin. Throws with SPIRE's words (`reference/server.md` §3); the kind is the cause's. What
 * the plugin itself threw is worded as the status that it would be if the plugin were a program.
 */
export async function loadPlugin<Env, Contract>(
  { kind, builtIns, log, env }: LoadPluginDeps<Env, Contract>,
  declaration: PluginDeclaration,
): Promise<Contract> {
  const { name, command } = declaration;
  const pluginLog = log.child({ plugin_name: name, plugin_type: kind, external: false });
  if (command !== undefined) throw external(name);
  const plugin = await builtIn(kind, builtIns, name);
  const contract = await configure(plugin, declaration, env(pluginLog), pluginLog);
  pluginLog.info('Plugin loaded');
  return contract;
}

/** The plugin of that name. Throws with SPIRE's words if there is none. */
export async function builtIn<P>(kind: string, builtIns: BuiltIns<P>, name: string): Promise<P> {
  const load = Object.hasOwn(builtIns, name) ? builtIns[name] : undefined;
  if (load !== undefined) return (await load()).plugin;
  throw new Fault(
    'invalid',
    `failed to load plugin ${goQuote(name)}: no built-in plugin ${goQuote(name)} for type ${goQuote(kind)}`,
  );
}

async function configure<Env, Contract>(
  plugin: Plugin<Env, Contract>,
  declaration: PluginDeclaration,
  env: Env,
  log: Log,
): Promise<Contract> {
  try {
    const { data } = await withData(declaration);
    const settings = data ?? Settings.empty();
    if (data !== undefined && !plugin.takesData) {
      throw new Fault('invalid', 'no supported configuration interface found');
    }
    const contract = await plugin.configure(settings, env).catch((error: unknown) => {
      throw new Fault(kindOf(error), rpcErrorText(error), { cause: error });
    });
    warnOfUnknownKeys(settings, log);
    if (plugin.takesData) log.info('Configured plugin', { reconfigurable: false });
    return contract;
  } catch (error) {
    log.error('Failed to configure plugin', { error: reasonOf(error) });
    throw wrapFault(`failed to configure plugin ${goQuote(plugin.name)}`, error);
  }
}

const withData = (declaration: PluginDeclaration): Promise<PluginDeclaration> =>
  withDataFile(declaration, readFileBounded, 'bare-words').catch((error: unknown) => {
    throw wrapFault('failed to load plugin data', error);
  });

/** SPIRE passes over such keys in silence; a misspelt key deserves a word. */
function warnOfUnknownKeys(settings: Settings, log: Log): void {
  const keys = settings.unknownKeys({ quoted: true }).map(({ name }) => name);
  if (keys.length > 0)
    log.warn('Unknown plugin configuration is ignored', { keys: keys.join(',') });
}

const external = (name: string): Fault =>
  new Fault(
    'unimplemented',
    `failed to load plugin ${goQuote(name)}: this version runs built-in plugins only; remove plugin_cmd to use the built-in one`,
  );
