import { definePlugin } from '../../../catalog/plugin.ts';
import type { KeyManagerEnv } from '../builtins.ts';
import type { KeyManager } from '../contract.ts';
import { namedKeyManager } from '../named-key-manager.ts';
import { createMemoryKeyManager } from './memory-key-manager.ts';

export const plugin = definePlugin<KeyManagerEnv, KeyManager>({
  name: 'memory',
  takesData: false,
  configure: async () => namedKeyManager('memory', createMemoryKeyManager()),
});
