import type { BuiltIns, Plugin } from '../../catalog/plugin.ts';
import type { KeyManager } from './contract.ts';

/** Key managers need nothing of the program around them. */
export type KeyManagerEnv = Readonly<Record<string, never>>;
export type KeyManagerPlugin = Plugin<KeyManagerEnv, KeyManager>;

export const serverKeyManagers: BuiltIns<KeyManagerPlugin> = {
  disk: () => import('./disk/server.ts'),
  memory: () => import('./memory/plugin.ts'),
};

export const agentKeyManagers: BuiltIns<KeyManagerPlugin> = {
  disk: () => import('./disk/agent.ts'),
  memory: () => import('./memory/plugin.ts'),
};
