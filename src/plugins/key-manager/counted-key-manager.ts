import { type Metrics, noMetrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { KeyManager } from './contract.ts';

/** What each program calls its key manager's calls (`reference/server.md` §12, `agent.md` §7). */
const names = {
  server: {
    generateKey: ['server_key_manager', 'generate_key'],
    getKey: ['server_key_manager', 'get_public_key'],
    getKeys: ['server_key_manager', 'get_public_keys'],
  },
  agent: {
    generateKey: ['agent_key_manager', 'generate_key'],
    getKey: ['agent_key_manager', 'get_key'],
    getKeys: ['agent_key_manager', 'get_keys'],
  },
} as const;

/** The same key manager, its calls counted and timed; signatures are not, as in SPIRE. */
export function countedKeyManager(
  keyManager: KeyManager,
  metrics: Metrics,
  program: keyof typeof names,
): KeyManager {
  if (metrics === noMetrics) return keyManager;
  const keys = names[program];
  return {
    generateKey: (id, keyType) =>
      timedCall(metrics, keys.generateKey, () => keyManager.generateKey(id, keyType)),
    getKey: (id) => timedCall(metrics, keys.getKey, () => keyManager.getKey(id)),
    getKeys: () => timedCall(metrics, keys.getKeys, () => keyManager.getKeys()),
    [Symbol.asyncDispose]: () => keyManager[Symbol.asyncDispose](),
  };
}
