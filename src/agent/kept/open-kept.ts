import { Fault } from '../../base/fault.ts';
import type { AgentCoreOptions } from '../core-options.ts';
import type { KeptFile } from './kept-file.ts';
import { forgetKept } from './kept-place.ts';

/** Undefined where nothing is kept; then nothing of former runs is either. Throws 'invalid' where it could not be. */
export async function openKept(options: AgentCoreOptions): Promise<KeptFile | undefined> {
  const { dataDirectory, keepSvidsOnDisk, keysAreLost, keyManager, log } = options;
  if (!keepSvidsOnDisk) {
    await forgetKept(dataDirectory);
    return undefined;
  }
  if (keysAreLost) throw new Fault('invalid', NO_KEY_TO_KEEP);
  const { trustDomain, storage, clock } = options;
  const { KeptFile } = await import('./kept-file.ts');
  return new KeptFile({ dataDirectory, keyManager, trustDomain, storage, clock, log });
}

const NO_KEY_TO_KEEP =
  "experimental.keep_svids_on_disk needs a key manager whose keys outlive the agent; those of 'memory' do not";
