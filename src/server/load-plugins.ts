import { Fault } from '../base/fault.ts';
import type { OnSignal } from '../base/signals.ts';
import { loadPlugin, type PluginKind } from '../catalog/load-plugin.ts';
import type { BuiltIns, Plugin } from '../catalog/plugin.ts';
import type { PluginSection } from '../catalog/plugin-sections.ts';
import { createReconfigurer } from '../catalog/reconfigurer.ts';
import { refuseUnknownKinds } from '../catalog/refuse-unknown-kinds.ts';
import type { Log } from '../ops/log.ts';
import { serverKeyManagers } from '../plugins/key-manager/builtins.ts';
import type { KeyManager } from '../plugins/key-manager/contract.ts';
import {
  type ServerNodeAttestorEnv,
  serverNodeAttestors,
} from '../plugins/node-attestor/builtins.ts';
import type { ServerNodeAttestor } from '../plugins/node-attestor/contract.ts';
import { joinTokenAttestor } from '../plugins/node-attestor/join-token/server.ts';
import {
  type UpstreamAuthorityEnv,
  upstreamAuthorities,
} from '../plugins/upstream-authority/builtins.ts';
import type { UpstreamAuthority } from '../plugins/upstream-authority/contract.ts';
import { countComplaint, serverPluginKinds } from './config/plugin-kinds.ts';

export type ServerPlugins = {
  readonly keyManager: KeyManager;
  /** By name; join tokens need not be configured. */
  readonly nodeAttestors: ReadonlyMap<string, ServerNodeAttestor>;
  /** undefined: the server's CAs sign themselves. */
  readonly upstreamAuthority: UpstreamAuthority | undefined;
};

export type LoadServerPluginsDeps = {
  readonly plugins: readonly PluginSection[];
  readonly nodeAttestorEnv: Omit<ServerNodeAttestorEnv, 'log'>;
  readonly upstreamAuthorityEnv: Omit<UpstreamAuthorityEnv, 'log'>;
  /** The signal at which plugins whose settings are in files of their own read these again. */
  readonly onSigusr1: OnSignal;
  readonly log: Log;
};

/** Loads what is configured, in the file's order of each kind; `opened` ends it. Throws with SPIRE's words. */
export async function loadServerPlugins(
  { plugins, nodeAttestorEnv, upstreamAuthorityEnv, onSigusr1, log: parent }: LoadServerPluginsDeps,
  opened: AsyncDisposableStack,
): Promise<ServerPlugins> {
  const log = parent.child({ subsystem_name: 'catalog' });
  const reconfigurer = createReconfigurer(parent);
  opened.defer(() => {
    log.info('Catalog closed');
  });
  refuseUnknownKinds(plugins, serverPluginKinds, log);

  const load = async <Env, Contract extends AsyncDisposable>(
    kind: PluginKind,
    builtIns: BuiltIns<Plugin<Env, Contract>>,
    env: (log: Log) => Env,
  ): Promise<ReadonlyMap<string, Contract>> => {
    const loaded = new Map<string, Contract>();
    const sections = plugins.filter(({ type }) => type === kind);
    for (const section of sections) {
      const plugin = await loadPlugin({ kind, builtIns, log, env, reconfigurer }, section);
      loaded.set(section.name, opened.use(plugin));
    }
    checkCount(kind, sections.length);
    return loaded;
  };

  const keyManagers = await load('KeyManager', serverKeyManagers, () => ({}));
  const attestors = await load('NodeAttestor', serverNodeAttestors, (pluginLog) => ({
    ...nodeAttestorEnv,
    log: pluginLog,
  }));
  const upstreams = await load('UpstreamAuthority', upstreamAuthorities, (pluginLog) => ({
    ...upstreamAuthorityEnv,
    log: pluginLog,
  }));
  const [upstreamAuthority] = upstreams.values();
  const [keyManager] = keyManagers.values();
  if (keyManager === undefined) throw new TypeError('the count of key managers was checked');
  opened.defer(() => {
    log.debug('Closing catalog');
  });
  opened.use(
    onSigusr1(() => {
      reconfigurer.reconfigure();
    }),
  );
  const joinToken = joinTokenAttestor(nodeAttestorEnv);
  const nodeAttestors = new Map([[joinToken.name, joinToken], ...attestors]);
  return { keyManager, nodeAttestors, upstreamAuthority };
}

function checkCount(kind: PluginKind, count: number): void {
  const constraint = serverPluginKinds[kind];
  const complaint = constraint && countComplaint(constraint, count);
  if (complaint === undefined) return;
  throw new Fault('invalid', `plugin type "${kind}" constraint not satisfied: ${complaint}`);
}
