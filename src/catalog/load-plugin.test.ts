import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pluginSettings } from '../../test/kit/plugin-settings.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { Fault } from '../base/fault.ts';
import { loadPlugin } from './load-plugin.ts';
import { nameFailure } from './name-failure.ts';
import { type BuiltIns, definePlugin, type Plugin, type PluginDeclaration } from './plugin.ts';
import type { Reconfigurable } from './reconfigurer.ts';

type Env = { readonly greeting: string };
type Greeter = AsyncDisposable & { greet(): string };

const builtIns: BuiltIns<Plugin<Env, Greeter>> = {
  greeter: async () => ({
    plugin: definePlugin<Env, Greeter>({
      name: 'greeter',
      takesData: true,
      async configure(settings, { greeting }) {
        const name = settings.string('name');
        if (name === 'nobody') throw new Fault('failed-precondition', 'nobody is there');
        return { greet: () => `${greeting} ${name}`, async [Symbol.asyncDispose]() {} };
      },
    }),
  }),
};

function load(declaration: PluginDeclaration) {
  const lines: LogLine[] = [];
  const log = recordingLog(lines);
  const reconfigurables: Reconfigurable[] = [];
  const loaded = loadPlugin(
    {
      kind: 'NodeAttestor',
      builtIns,
      log,
      env: () => ({ greeting: 'hello' }),
      reconfigurer: { add: (plugin) => reconfigurables.push(plugin) },
    },
    declaration,
  );
  loaded.catch(() => undefined);
  return { loaded, lines, reconfigurables };
}

describe('loading a plugin', () => {
  test('configures it, and logs that with its name and kind', async () => {
    const { loaded, lines } = load({ name: 'greeter', data: pluginSettings('name = "you"') });
    assert.equal((await loaded).greet(), 'hello you');
    assert.deepEqual(
      lines.map(({ message }) => message),
      ['Configured plugin', 'Plugin loaded'],
    );
    assert.equal(lines[0]?.fields['plugin_name'], 'greeter');
    assert.equal(lines[0]?.fields['plugin_type'], 'NodeAttestor');
    assert.equal(lines[0]?.fields['external'], false);
  });

  test('configures it with nothing where there is no data', async () => {
    assert.equal((await load({ name: 'greeter' }).loaded).greet(), 'hello ');
  });

  test('says which keys it does not know', async () => {
    const { loaded, lines } = load({
      name: 'greeter',
      data: pluginSettings('nmae = "you"\n"other" = 1'),
    });
    await loaded;
    assert.deepEqual(lines[0]?.message, 'Unknown plugin configuration is ignored');
    assert.equal(lines[0]?.fields['keys'], 'nmae,other');
  });

  const refused: [why: string, declaration: PluginDeclaration, kind: string, message: string][] = [
    [
      'an unknown one',
      { name: 'nope' },
      'invalid',
      'failed to load plugin "nope": no built-in plugin "nope" for type "NodeAttestor"',
    ],
    [
      'one whose name every object has',
      { name: 'constructor' },
      'invalid',
      'failed to load plugin "constructor": no built-in plugin "constructor" for type "NodeAttestor"',
    ],
    [
      'a program',
      { name: 'greeter', command: '/bin/greeter' },
      'unimplemented',
      'failed to load plugin "greeter": this version runs built-in plugins only; remove plugin_cmd to use the built-in one',
    ],
    [
      'one that refuses its data, with its kind of failure',
      { name: 'greeter', data: pluginSettings('name = "nobody"') },
      'failed-precondition',
      'failed to configure plugin "greeter": rpc error: code = FailedPrecondition desc = nobody is there',
    ],
  ];
  for (const [why, declaration, kind, message] of refused) {
    test(`refuses ${why}`, async () => {
      const { loaded, lines } = load(declaration);
      await assert.rejects(loaded, { kind, message });
      assert.deepEqual(
        lines.map((line) => [line.message, line.fields['plugin_name']]),
        logged(message).map((line) => [line, declaration.name]),
      );
    });
  }

  test('takes its data from a file', async () => {
    await using folder = await temporaryFolder();
    const dataFile = join(folder.path, 'greeter.conf');
    await writeFile(dataFile, 'name = "file"');
    assert.equal((await load({ name: 'greeter', dataFile }).loaded).greet(), 'hello file');
  });

  test('refuses a file of data that is not there, and one that does not parse', async () => {
    await using folder = await temporaryFolder();
    const dataFile = join(folder.path, 'greeter.conf');
    await assert.rejects(load({ name: 'greeter', dataFile }).loaded, {
      message: `failed to configure plugin "greeter": failed to load plugin data: open ${dataFile}: no such file or directory`,
    });
    await writeFile(dataFile, 'name = ');
    await assert.rejects(load({ name: 'greeter', dataFile }).loaded, {
      kind: 'invalid',
      message: /^failed to configure plugin "greeter": failed to load plugin data: ./,
    });
  });
});

/** The line that a failure leaves. */
const logged = (message: string): readonly string[] => {
  if (message.startsWith('failed to configure')) return ['Failed to configure plugin'];
  return message.includes('no built-in plugin') ? ['Failed to load plugin'] : [];
};

describe('a plugin with its settings in a file', () => {
  const said = (lines: readonly LogLine[]) =>
    lines.map(({ message, fields }) => [
      message,
      Object.fromEntries(Object.entries(fields).filter(([name]) => !WHICH.has(name))),
    ]);

  test('takes changed settings while it runs; what it refuses changes nothing', async () => {
    await using folder = await temporaryFolder();
    const dataFile = join(folder.path, 'greeter.conf');
    await writeFile(dataFile, 'name = "one"');
    const { loaded, lines, reconfigurables } = load({ name: 'greeter', dataFile });
    const greeter = await loaded;
    const [plugin] = reconfigurables;
    assert.ok(plugin);
    const first = sha512('name = "one"');
    const second = sha512('name = "two"');
    assert.deepEqual(said(lines.splice(0)), [
      ['Configured plugin', { reconfigurable: true, hash: first }],
      ['Plugin loaded', {}],
    ]);

    await plugin.reconfigure();
    await writeFile(dataFile, 'name = "two"');
    await plugin.reconfigure();
    assert.equal(greeter.greet(), 'hello two');
    assert.deepEqual(said(lines.splice(0)), [
      ['Plugin not reconfigured since the config is unchanged', { hash: first }],
      ['Plugin reconfigured', { old_hash: first, new_hash: second }],
    ]);

    await writeFile(dataFile, 'name = "nobody"');
    await plugin.reconfigure();
    await writeFile(dataFile, 'name = ');
    await plugin.reconfigure();
    await rm(dataFile);
    await plugin.reconfigure();
    assert.equal(greeter.greet(), 'hello two');
    const failures = lines.splice(0);
    assert.deepEqual(
      failures.map(({ message }) => message),
      Array(3).fill('Failed to reconfigure plugin'),
    );
    assert.deepEqual(
      [failures[0]?.fields['error'], failures[2]?.fields['error']],
      [
        'rpc error: code = FailedPrecondition desc = nobody is there',
        `failed to load plugin data: open ${dataFile}: no such file or directory`,
      ],
    );

    await writeFile(dataFile, 'name = "two"');
    await plugin.reconfigure();
    await greeter[Symbol.asyncDispose]();
    assert.deepEqual(said(lines), [
      ['Plugin not reconfigured since the config is unchanged', { hash: second }],
      ['Plugin unloaded', {}],
    ]);
  });

  test('others are not reconfigured', async () => {
    const { loaded, reconfigurables } = load({ name: 'greeter' });
    await loaded;
    assert.deepEqual(reconfigurables, []);
  });
});

/** Fields that say which plugin it is. */
const WHICH = new Set(['plugin_name', 'plugin_type', 'external']);

const sha512 = (text: string): string => hash('sha512', text, 'hex').slice(0, 32);

describe("a plugin's failure", () => {
  const failures: [thrown: unknown, kind: string, message: string][] = [
    [new Fault('denied', 'no'), 'denied', 'keymanager(disk): no'],
    [new Fault('denied', 'keymanager(disk): no'), 'denied', 'keymanager(disk): no'],
    [new Fault('denied', 'disk: no'), 'denied', 'keymanager(disk): no'],
    [new Error('no'), 'unknown', 'keymanager(disk): no'],
  ];
  for (const [thrown, kind, message] of failures) {
    test(`names it once: ${String(thrown)}`, () => {
      const fault = nameFailure('KeyManager', 'disk', thrown);
      assert.deepEqual([fault.kind, fault.message], [kind, message]);
    });
  }
});
