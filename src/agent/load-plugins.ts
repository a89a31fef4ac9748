import { Fault } from '../base/fault.ts';
import { loadPlugin, type PluginKind } from '../catalog/load-plugin.ts';
import type { BuiltIns, Plugin } from '../catalog/plugin.ts';
import type { Log } from '../ops/log.ts';
import { agentKeyManagers } from '../plugins/key-manager/builtins.ts';
import type { KeyManager } from '../plugins/key-manager/contract.ts';
import { agentNodeAttestors } from '../plugins/node-attestor/builtins.ts';
import type { AgentNodeAttestor } from '../plugins/node-attestor/contract.ts';
import { joinTokenAgentAttestor } from '../plugins/node-attestor/join-token/agent.ts';
import { workloadAttestors } from '../plugins/workload-attestor/builtins.ts';
import type { WorkloadAttestor } from '../plugins/workload-attestor/contract.ts';
import type { AgentConfig } from './config.ts';

export type AgentPlugins = {
  readonly keyManager: KeyManager;
  /** Keys do not outlive the process. */
  readonly keysAreLost: boolean;
  readonly nodeAttestor: AgentNodeAttestor;
  readonly workloadAttestors: readonly WorkloadAttestor[];
};

type Env = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
};

/** Loads what is configured, in the file's order of each kind; `opened` ends it. Throws with SPIRE's words. */
export async function loadAgentPlugins(
  config: Pick<AgentConfig, 'plugins' | 'joinToken'>,
  { environment, log }: Env,
  opened: AsyncDisposableStack,
): Promise<AgentPlugins> {
  const joinToken = config.joinToken === '' ? undefined : config.joinToken;
  const load = loader(config, log.child({ subsystem_name: 'catalog' }), opened);
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
  if (keyManager === undefined || configured === undefined) throw new TypeError('not loaded');
  return {
    keyManager,
    keysAreLost: config.plugins.some(
      ({ type, name }) => type === 'KeyManager' && name === 'memory',
    ),
    // A token goes before whatever attestor is configured.
    nodeAttestor: joinToken === undefined ? configured : joinTokenAgentAttestor(joinToken),
    workloadAttestors: attestors,
  };
}

type Constraint = { readonly words: string; readonly holds: (count: number) => boolean };
const EXACTLY_ONE: Constraint = { words: 'exactly 1', holds: (count) => count === 1 };
const AT_LEAST_ONE: Constraint = { words: 'at least 1', holds: (count) => count >= 1 };

const loader =
  ({ plugins }: Pick<AgentConfig, 'plugins'>, log: Log, opened: AsyncDisposableStack) =>
  async <PluginEnv, Contract extends AsyncDisposable>(
    kind: PluginKind,
    builtIns: BuiltIns<Plugin<PluginEnv, Contract>>,
    env: (log: Log) => PluginEnv,
    constraint: Constraint,
  ): Promise<readonly Contract[]> => {
    const declared = plugins.filter(({ type, enabled }) => type === kind && enabled);
    const loaded: Contract[] = [];
    for (const declaration of declared) {
      loaded.push(opened.use(await loadPlugin({ kind, builtIns, log, env }, declaration)));
    }
    if (!constraint.holds(loaded.length)) {
      throw new Fault(
        'invalid',
        `plugin type "${kind}" constraint not satisfied: expected ${constraint.words} but got ${loaded.length}`,
      );
    }
    return loaded;
  };
