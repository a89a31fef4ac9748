import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { temporaryFolder } from '../../../../test/kit/temp-dir.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { silentLog } from '../../../ops/log.ts';
import { svidStores } from '../builtins.ts';
import { svidStoreSuite } from '../contract.suite.ts';
import type { SvidStore, SvidToStore } from '../contract.ts';

const { signal } = new AbortController();

const load = (hcl: string): Promise<SvidStore> =>
  loadPlugin(
    { kind: 'SVIDStore', builtIns: svidStores, log: silentLog, env: () => ({}) },
    { name: 'disk', data: pluginSettings(hcl) },
  );
const open = (path: string) => load(`svids_path = ${JSON.stringify(path)}`);

const read = async (path: string) =>
  JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>;

svidStoreSuite('disk', async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'svids.json');
  const store = await open(path);
  return {
    store,
    metadata: (name) => [`name:${name}`],
    stored: async () =>
      Object.fromEntries(
        Object.entries(await read(path)).map(([name, { spiffeID }]) => [name, String(spiffeID)]),
      ),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});

const svid: SvidToStore = {
  spiffeId: 'spiffe://store.test/a',
  chain: [Uint8Array.of(1), Uint8Array.of(2)],
  privateKey: Uint8Array.of(3),
  bundle: [Uint8Array.of(4)],
  expiresAt: 2_000_000_000,
  federatedBundles: new Map([
    ['spiffe://z.test', [Uint8Array.of(5)]],
    ['spiffe://b.test', [Uint8Array.of(6), Uint8Array.of(7)]],
  ]),
};

const pem = (type: string, base64: string): string =>
  `-----BEGIN ${type}-----\n${base64}\n-----END ${type}-----\n`;

describe('the file of the disk store', () => {
  test('holds what the stores of SPIRE hold, and is for its owner only', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'svids.json');
    await using store = await open(path);
    assert.equal(await readFile(path, 'utf8'), '{}');
    await store.put(svid, ['name:one', 'name:two', 'other:x'], signal);
    assert.deepEqual(await read(path), {
      two: {
        spiffeID: 'spiffe://store.test/a',
        x509SVID: pem('CERTIFICATE', 'AQ==') + pem('CERTIFICATE', 'Ag=='),
        x509SVIDKey: pem('PRIVATE KEY', 'Aw=='),
        bundle: pem('CERTIFICATE', 'BA=='),
        federatedBundles: {
          'spiffe://b.test': pem('CERTIFICATE', 'Bg==') + pem('CERTIFICATE', 'Bw=='),
          'spiffe://z.test': pem('CERTIFICATE', 'BQ=='),
        },
      },
    });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test('is taken over by the next run', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'svids.json');
    await (await open(path)).put(svid, ['name:one'], signal);
    await using next = await open(path);
    assert.deepEqual(Object.keys(await read(path)), ['one']);
    await next.delete(['name:one'], signal);
    assert.equal(await readFile(path, 'utf8'), '{}');
  });

  test('stays as it was where it cannot be written, and is right after', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'svids.json');
    await using store = await open(path);
    await mkdir(`${path}.tmp`);
    await writeFile(join(`${path}.tmp`, 'in the way'), '');
    await assert.rejects(store.put(svid, ['name:one'], signal), {
      message: /^svidstore\(disk\): open .*svids\.json: /,
    });
    assert.equal(await readFile(path, 'utf8'), '{}');
  });

  for (const [why, content] of [
    ['is no JSON', 'garbage'],
    ['is a list', '[]'],
    ['is empty', ''],
  ] as const) {
    test(`is refused and left as it is when it ${why}`, async () => {
      await using folder = await temporaryFolder();
      const path = join(folder.path, 'svids.json');
      await writeFile(path, content);
      await assert.rejects(open(path), {
        message: /svids\.json is no file of this store; nothing was changed/,
      });
      assert.equal(await readFile(path, 'utf8'), content);
    });
  }
});

describe('the settings of the disk store', () => {
  for (const [why, hcl, message] of [
    ['no path', '', /svids_path must be configured$/],
    ['a folder that is not there', 'svids_path = "/nowhere/svids.json"', /no such file/],
    ['a path that is no text', 'svids_path = {}', /failed to decode configuration: /],
  ] as const) {
    test(`are refused with ${why}`, async () => {
      await assert.rejects(load(hcl), { message });
    });
  }
});
