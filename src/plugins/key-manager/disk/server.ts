import { Fault } from '../../../base/fault.ts';
import type { Settings } from '../../../base/settings.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import type { KeyManagerEnv } from '../builtins.ts';
import type { KeyManager } from '../contract.ts';
import { namedKeyManager } from '../named-key-manager.ts';
import { openDiskKeyManager } from './disk-key-manager.ts';

export const plugin = definePlugin<KeyManagerEnv, KeyManager>({
  name: 'disk',
  takesData: true,
  async validate(settings) {
    readKeysPath(settings);
  },
  async configure(settings) {
    const keys = await openDiskKeyManager(readKeysPath(settings), { refusesForeignKeys: true });
    return namedKeyManager('disk', keys);
  },
});

function readKeysPath(settings: Settings): string {
  const keysPath = settings.string('keys_path');
  settings.throwIfWrong();
  if (keysPath === '') throw new Fault('invalid', 'keys_path is required');
  return keysPath;
}
