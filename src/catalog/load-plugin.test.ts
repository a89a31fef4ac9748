import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pluginSettings } from '../../test/kit/plugin-settings.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { Fault } from '../base/fault.ts';
import { loadPlugin } from './load-plugin.ts';
import { nameFailure } from './name-failure.ts';
import { type BuiltIns, definePlugin, type Plugin, type PluginDeclaration } from './plugin.ts';

type Env = { readonly greeting: string };

const builtIns: BuiltIns<Plugin<Env, string>> = {
  greeter: async () => ({
    plugin: definePlugin<Env, string>({
      name: 'greeter',
      takesData: true,
      async configure(settings, { greeting }) {
        const name = settings.string('name');
        if (name === 'nobody') throw new Fault('failed-precondition', 'nobody is there');
        return `${greeting} ${name}`;
      },
    }),
  }),
};

function load(declaration: PluginDeclaration) {
  const lines: LogLine[] = [];
  const log = recordingLog(lines);
  const loaded = loadPlugin(
    { kind: 'NodeAttestor', builtIns, log, env: () => ({ greeting: 'hello' }) },
    declaration,
  );
  return { loaded, lines };
}

describe('loading a plugin', () => {
  test('configures it, and logs that with its name and kind', async () => {
    const { loaded, lines } = load({ name: 'greeter', data: pluginSettings('name = "you"') });
    assert.equal(await loaded, 'hello you');
    assert.deepEqual(
      lines.map(({ message }) => message),
      ['Configured plugin', 'Plugin loaded'],
    );
    assert.equal(lines[0]?.fields['plugin_name'], 'greeter');
    assert.equal(lines[0]?.fields['plugin_type'], 'NodeAttestor');
    assert.equal(lines[0]?.fields['external'], false);
  });

  test('configures it with nothing where there is no data', async () => {
    assert.equal(await load({ name: 'greeter' }).loaded, 'hello ');
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
        message.startsWith('failed to configure')
          ? [['Failed to configure plugin', declaration.name]]
          : [],
      );
    });
  }

  test('takes its data from a file', async () => {
    await using folder = await temporaryFolder();
    const dataFile = join(folder.path, 'greeter.conf');
    await writeFile(dataFile, 'name = "file"');
    assert.equal(await load({ name: 'greeter', dataFile }).loaded, 'hello file');
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
