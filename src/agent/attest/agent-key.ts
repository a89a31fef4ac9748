import type { KeyManager, ManagedKey } from '../../plugins/key-manager/contract.ts';

/** The agent's key lives in one of two slots, so that the current one is never overwritten by its successor. */
const SLOT_A = 'agent-svid-A';
const SLOT_B = 'agent-svid-B';

/** Makes a key in the slot that `current` is not in (`reference/agent.md` §2.2); durable before it is used. */
export const newAgentKey = (
  keyManager: KeyManager,
  current: ManagedKey | undefined,
): Promise<ManagedKey> =>
  keyManager.generateKey(current?.id === SLOT_A ? SLOT_B : SLOT_A, 'ec-p256');
