import { join } from 'node:path';
import { Fault } from '../../../base/fault.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import type { KeyManagerEnv } from '../builtins.ts';
import type { KeyManager } from '../contract.ts';
import { namedKeyManager } from '../named-key-manager.ts';
import { openDiskKeyManager } from './disk-key-manager.ts';
import { openPrivateDirectory } from './private-directory.ts';

const FILE_NAME = 'keys.json';

export const plugin = definePlugin<KeyManagerEnv, KeyManager>({
  name: 'disk',
  takesData: true,
  async configure(settings) {
    const directory = settings.string('directory');
    settings.throwIfWrong();
    if (directory === '') throw new Fault('invalid', 'directory must be configured');
    await openPrivateDirectory(directory);
    return namedKeyManager('disk', await openDiskKeyManager(join(directory, FILE_NAME)));
  },
});
