import { Fault, kindOf, reasonOf, wrapFault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { Settings } from '../base/settings.ts';
import type { Log } from '../ops/log.ts';
import { rpcErrorText } from '../rpc/status.ts';
import { exchangeable } from './exchangeable.ts';
import type { BuiltIns, Plugin, PluginDeclaration } from './plugin.ts';
import { type PluginData, readPluginData } from './plugin-data.ts';
import { type Reconfigurer, reconfigurable } from './reconfigurer.ts';

/** The kinds, as configuration files name them. */
export type PluginKind =
  | 'KeyManager'
  | 'NodeAttestor'
  | 'SVIDStore'
  | 'UpstreamAuthority'
  | 'WorkloadAttestor';

export type LoadPluginDeps<Env, Contract> = {
  readonly kind: PluginKind;
  readonly builtIns: BuiltIns<Plugin<Env, Contract>>;
  readonly log: Log;
  /** Gets a log whose lines say which plugin they are of. */
  readonly env: (log: Log) => Env;
  /** Gets the plugin if its settings are in a file; without it they are read once. */
  readonly reconfigurer?: Pick<Reconfigurer, 'add'>;
};

/**
 * Loads and configures one plugin. Throws with SPIRE's words (`reference/server.md` §3); the kind is the cause's. What
 * the plugin itself threw is worded as the status that it would be if the plugin were a program. Ending the contract
 * unloads the plugin.
 */
export async function loadPlugin<Env, Contract extends AsyncDisposable>(
  { kind, builtIns, log: parent, env, reconfigurer }: LoadPluginDeps<Env, Contract>,
  declaration: PluginDeclaration,
): Promise<Contract> {
  const { name, command, dataFile } = declaration;
  const log = parent.child({ plugin_name: name, plugin_type: kind, external: false });
  if (command !== undefined) throw external(name);
  const plugin = await builtIn(kind, builtIns, name).catch((error: unknown) => {
    log.error('Failed to load plugin', { error: unnamed(name, error) });
    throw error;
  });
  const configure = (settings: Settings | undefined) =>
    configurePlugin(plugin, settings, env(log), log);
  const { data, contract } = await configureFirst(declaration, configure, log);
  if (plugin.takesData) {
    const { hash } = data;
    log.info('Configured plugin', { reconfigurable: dataFile !== undefined, hash });
  }
  log.info('Plugin loaded');
  const held = exchangeable(contract, {
    answersLiveOn: kind === 'UpstreamAuthority',
    onFailure: (error) => {
      log.error('Former plugin could not be ended', { error: reasonOf(error) });
    },
    ending: (end) => unload(end, log),
  });
  if (dataFile !== undefined) {
    reconfigurer?.add(reconfigurable({ dataFile, hash: data.hash, configure, held, log }));
  }
  return held.contract;
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

/** The line names the plugin in its fields. */
const unnamed = (name: string, error: unknown): string =>
  reasonOf(error).replace(`failed to load plugin ${goQuote(name)}: `, '');

async function configureFirst<Contract>(
  declaration: PluginDeclaration,
  configure: (settings: Settings | undefined) => Promise<Contract>,
  log: Log,
): Promise<{ readonly data: PluginData; readonly contract: Contract }> {
  try {
    const data = await readPluginData(declaration);
    return { data, contract: await configure(data.settings) };
  } catch (error) {
    log.error('Failed to configure plugin', { error: reasonOf(error) });
    throw wrapFault(`failed to configure plugin ${goQuote(declaration.name)}`, error);
  }
}

/** Throws a plugin's refusal in the words of a status. */
async function configurePlugin<Env, Contract>(
  plugin: Plugin<Env, Contract>,
  data: Settings | undefined,
  env: Env,
  log: Log,
): Promise<Contract> {
  const settings = data ?? Settings.empty();
  if (data !== undefined && !plugin.takesData) {
    throw new Fault('invalid', 'no supported configuration interface found');
  }
  const contract = await plugin.configure(settings, env).catch((error: unknown) => {
    throw new Fault(kindOf(error), rpcErrorText(error), { cause: error });
  });
  warnOfUnknownKeys(settings, log);
  return contract;
}

async function unload(end: () => Promise<void>, log: Log): Promise<void> {
  log.debug('Unloading plugin');
  await end();
  log.debug('Plugin deinitialized');
  log.info('Plugin unloaded');
}

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
