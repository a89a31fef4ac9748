import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The key manager's name of the key from which those of the seal are derived. */
export const SEAL_KEY_ID = 'agent-seal';

export const keptPath = (dataDirectory: string): string => join(dataDirectory, 'kept-svids');

/** Also for agents that do not keep SVIDs any more. */
export const forgetKept = (dataDirectory: string): Promise<void> =>
  rm(keptPath(dataDirectory), { force: true });
