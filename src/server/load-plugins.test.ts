import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../test/kit/datastore.ts';
import { eventually } from '../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { systemClock } from '../base/clock.ts';
import type { PluginSection } from '../catalog/plugin-sections.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { loadServerPlugins } from './load-plugins.ts';

const declared = (
  type: string,
  name: string,
  more: Partial<PluginSection> = {},
): PluginSection => ({
  type,
  name,
  args: [],
  checksum: '',
  dataFile: undefined,
  enabled: true,
  position: { line: 1, column: 1 },
  ...more,
});

const memory = declared('KeyManager', 'memory');

async function load(t: TestContext, plugins: readonly PluginSection[]) {
  const opened = new AsyncDisposableStack();
  t.after(() => opened.disposeAsync());
  const lines: LogLine[] = [];
  const nodeAttestorEnv = {
    clock: systemClock,
    trustDomain: TrustDomain.parse('example.org'),
    joinTokens: { spend: async () => undefined },
    x509Authorities: () => [],
  };
  const log = recordingLog(lines);
  const listeners = new Set<() => void>();
  const onSigusr1 = (listener: () => void) => {
    listeners.add(listener);
    return { [Symbol.dispose]: () => void listeners.delete(listener) };
  };
  const loaded = await loadServerPlugins(
    {
      plugins,
      nodeAttestorEnv,
      upstreamAuthorityEnv: { ...nodeAttestorEnv, environment: {} },
      onSigusr1,
      log,
    },
    opened,
  );
  return { ...loaded, lines, opened, listeners };
}

test('join tokens need not be declared', async (t) => {
  const { nodeAttestors } = await load(t, [memory]);
  assert.deepEqual([...nodeAttestors.keys()], ['join_token']);
});

test('the settings may stand in a file of their own', async (t) => {
  const folder = await temporaryFolder(t);
  const dataFile = join(folder, 'disk.conf');
  await writeFile(dataFile, `keys_path = "${join(folder, 'keys.json')}"`);
  const { keyManager } = await load(t, [declared('KeyManager', 'disk', { dataFile })]);
  assert.deepEqual(await keyManager.getKeys(), []);
});

test('a signal makes it read them again, until it is closed', async (t) => {
  const folder = await temporaryFolder(t);
  const dataFile = join(folder, 'disk.conf');
  await writeFile(dataFile, `keys_path = "${join(folder, 'one.json')}"`);
  const plugin = declared('KeyManager', 'disk', { dataFile });
  const { keyManager, lines, opened, listeners } = await load(t, [plugin]);
  await keyManager.generateKey('a', 'ec-p256');
  await writeFile(dataFile, `keys_path = "${join(folder, 'two.json')}"`);
  for (const listener of listeners) listener();
  await eventually(
    async () => lines.some(({ message }) => message === 'Plugin reconfigured'),
    'a new configuration',
  );
  assert.deepEqual(await keyManager.getKeys(), []);
  await opened.disposeAsync();
  assert.equal(listeners.size, 0);
});

test('that everything is closed is told', async (t) => {
  const { opened, lines } = await load(t, [memory]);
  await opened.disposeAsync();
  assert.equal(lines.at(-1)?.message, 'Catalog closed');
});

for (const [why, plugins, message] of [
  [
    'without a key manager',
    [],
    /^plugin type "KeyManager" constraint not satisfied: expected exactly 1 but got 0$/,
  ],
  [
    'with two key managers',
    [memory, memory],
    /^plugin type "KeyManager" constraint not satisfied: expected exactly 1 but got 2$/,
  ],
  ['with a plugin that nobody knows', [declared('KeyManager', 'hsm')], /no built-in plugin "hsm"/],
  [
    'with a kind that nobody knows',
    [declared('Oracle', 'x')],
    /^unsupported plugin type "Oracle"$/,
  ],
  [
    'with settings in a file that is not there',
    [declared('KeyManager', 'disk', { dataFile: '/nonexistent/disk.conf' })],
    /^failed to configure plugin "disk": failed to load plugin data: open \/nonexistent\/disk\.conf: no such file or directory$/,
  ],
] satisfies [string, readonly PluginSection[], RegExp][]) {
  test(`refuses to start ${why}`, async (t) => {
    await assert.rejects(load(t, plugins), { message });
  });
}
