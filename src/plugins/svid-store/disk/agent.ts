import { Fault } from '../../../base/fault.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import type { SvidStoreEnv } from '../builtins.ts';
import type { SvidStore } from '../contract.ts';
import { namedSvidStore } from '../named-svid-store.ts';
import { openDiskStore } from './disk-store.ts';

export const plugin = definePlugin<SvidStoreEnv, SvidStore>({
  name: 'disk',
  takesData: true,
  async configure(settings) {
    const path = settings.string('svids_path');
    settings.throwIfWrong((reason) => `failed to decode configuration: ${reason}`);
    if (path === '') throw new Fault('invalid', 'svids_path must be configured');
    return namedSvidStore(await openDiskStore(path));
  },
});
