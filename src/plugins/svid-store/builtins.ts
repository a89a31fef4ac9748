import type { BuiltIns, Plugin } from '../../catalog/plugin.ts';
import type { SvidStore } from './contract.ts';

/** Stores of SVIDs need nothing of the agent around them. */
export type SvidStoreEnv = Readonly<Record<string, never>>;
export type SvidStorePlugin = Plugin<SvidStoreEnv, SvidStore>;

export const svidStores: BuiltIns<SvidStorePlugin> = {
  disk: () => import('./disk/agent.ts'),
};
