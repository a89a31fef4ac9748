import type { KeyManager } from '../contract.ts';
import { createKeyRing } from '../key-ring.ts';

/** Keys that end with the process. */
export const createMemoryKeyManager = (): KeyManager => createKeyRing([], async () => {});
