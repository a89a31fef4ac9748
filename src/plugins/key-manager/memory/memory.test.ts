import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import type { PluginDeclaration } from '../../../catalog/plugin.ts';
import { silentLog } from '../../../ops/log.ts';
import { agentKeyManagers, serverKeyManagers } from '../builtins.ts';
import { keyManagerSuite } from '../contract.suite.ts';

const load = (declaration: Partial<PluginDeclaration> = {}, builtIns = serverKeyManagers) =>
  loadPlugin(
    { kind: 'KeyManager', builtIns, log: silentLog, env: () => ({}) },
    { name: 'memory', ...declaration },
  );

keyManagerSuite('memory', () => load());

test('the memory key manager takes no data, on either side', async () => {
  for (const builtIns of [serverKeyManagers, agentKeyManagers]) {
    await using keyManager = await load({}, builtIns);
    assert.deepEqual(await keyManager.getKeys(), []);
    await assert.rejects(load({ data: pluginSettings('a = 1') }, builtIns), {
      kind: 'invalid',
      message: 'failed to configure plugin "memory": no supported configuration interface found',
    });
  }
});
