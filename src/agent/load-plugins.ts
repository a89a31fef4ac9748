import { Fault } from '../base/fault.ts';
import type { OnSignal } from '../base/signals.ts';
import { loadPlugin, type PluginKind } from '../catalog/load-plugin.ts';
import type { BuiltIns, Plugin } from '../catalog/plugin.ts';
import { createReconfigurer, type Reconfigurer } from '../catalog/reconfigurer.ts';
import { refuseUnknownKinds } from '../catalog/refuse-unknown-kinds.ts';
import type { Log } from '../ops/log.ts';
import { agentKeyManagers } from '../plugins/key-manager/builtins.ts';
import type { KeyManager } from '../plugins/key-manager/contract.ts';
import { agentNodeAttestors } from '../plugins/node-attestor/builtins.ts';
import type { AgentNodeAttestor } from '../plugins/node-attestor/contract.ts';
import { joinTokenAgentAttestor } from '../plugins/node-attestor/join-token/agent.ts';
import { svidStores } from '../plugins/svid-store/builtins.ts';
import type { SvidStore } from '../plugins/svid-store/contract.ts';
import { workloadAttestors } from '../plugins/workload-attestor/builtins.ts';
import type { WorkloadAttestor } from '../plugins/workload-attestor/contract.ts';
import { agentPluginKinds } from './config/plugin-kinds.ts';
import type { AgentConfig } from './config.ts';

export type AgentPlugins = {
  readonly keyManager: KeyManager;
  /** Keys do not outlive the process. */
  readonly keysAreLost: boolean;
  readonly nodeAttestor: AgentNodeAttestor;
  readonly workloadAttestors: readonly WorkloadAttestor[];
  readonly svidStores: readonly SvidStore[];
};

type Env = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The signal at which plugins whose settings are in files of their own read these again. */
  readonly onSigusr1: OnSignal;
  readonly log: Log;
};

/** Loads what is configured, in the file's order of each kind; `opened` ends it. Throws with SPIRE's words. */
export async function loadAgentPlugins(
  config: Pick<AgentConfig, 'plugins' | 'joinToken'>,
  { environment, onSigusr1, log }: Env,
  opened: AsyncDisposableStack,
): Promise<AgentPlugins> {
  const joinToken = config.joinToken === '' ? undefined : config.joinToken;
  const reconfigurer = createReconfigurer(log);
  const deps = { log: log.child({ subsystem_name: 'catalog' }), reconfigurer };
  opened.defer(() => {
    deps.log.info('Catalog closed');
  });
  refuseUnknownKinds(config.plugins, agentPluginKinds, deps.log);
  const load = loader(config, deps, opened);
  const [keyManager] = await load('KeyManager', agentKeyManagers, () => ({}), EXACTLY_ONE);
  const [configured] = await load(
    'NodeAttestor',
    agentNodeAttestors,
    () => ({ joinToken }),
    EXACTLY_ONE,
  );
  const attestors = await load(
    'WorkloadAttestor',
    workloadAttestors,
    () => ({ environment }),
    AT_LEAST_ONE,
  );
  const stores = await load('SVIDStore', svidStores, () => ({}), ANY_NUMBER);
  if (keyManager === undefined || configured === undefined) throw new TypeError('not loaded');
  opened.use(
    onSigusr1(() => {
      reconfigurer.reconfigure();
    }),
  );
  return {
    keyManager,
    keysAreLost: config.plugins.some(
      ({ type, name }) => type === 'KeyManager' && name === 'memory',
    ),
    // A token goes before whatever attestor is configured.
    nodeAttestor: joinToken === undefined ? configured : joinTokenAgentAttestor(joinToken),
    workloadAttestors: attestors,
    svidStores: stores,
  };
}

type Constraint = { readonly words: string; readonly holds: (count: number) => boolean };
const EXACTLY_ONE: Constraint = { words: 'exactly 1', holds: (count) => count === 1 };
const ANY_NUMBER: Constraint = { words: 'any number', holds: () => true };
const AT_LEAST_ONE: Constraint = { words: 'at least 1', holds: (count) => count >= 1 };

const loader =
  (
    { plugins }: Pick<AgentConfig, 'plugins'>,
    deps: { readonly log: Log; readonly reconfigurer: Reconfigurer },
    opened: AsyncDisposableStack,
  ) =>
  async <PluginEnv, Contract extends AsyncDisposable>(
    kind: PluginKind,
    builtIns: BuiltIns<Plugin<PluginEnv, Contract>>,
    env: (log: Log) => PluginEnv,
    constraint: Constraint,
  ): Promise<readonly Contract[]> => {
    const declared = plugins.filter(({ type, enabled }) => type === kind && enabled);
    const loaded: Contract[] = [];
    for (const declaration of declared) {
      loaded.push(opened.use(await loadPlugin({ kind, builtIns, env, ...deps }, declaration)));
    }
    if (!constraint.holds(loaded.length)) {
      throw new Fault(
        'invalid',
        `plugin type "${kind}" constraint not satisfied: expected ${constraint.words} but got ${loaded.length}`,
      );
    }
    return loaded;
  };
