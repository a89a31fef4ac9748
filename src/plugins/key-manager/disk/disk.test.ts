import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { temporaryFolder } from '../../../../test/kit/temp-dir.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { silentLog } from '../../../ops/log.ts';
import { agentKeyManagers, serverKeyManagers } from '../builtins.ts';
import { assertSame, keyManagerSuite } from '../contract.suite.ts';
import type { KeyManager } from '../contract.ts';
import { keysJson, readKeysFile } from './keys-file.ts';

const fixtures = join(import.meta.dirname, '../../../../test/data/fixtures');

const load = (hcl: string, builtIns = serverKeyManagers): Promise<KeyManager> =>
  loadPlugin(
    { kind: 'KeyManager', builtIns, log: silentLog, env: () => ({}) },
    { name: 'disk', data: pluginSettings(hcl) },
  );
const openServer = (path: string) => load(`keys_path = ${JSON.stringify(path)}`);
const openAgent = (path: string) => load(`directory = ${JSON.stringify(path)}`, agentKeyManagers);

keyManagerSuite('disk', async () => {
  const folder = await temporaryFolder();
  const keyManager = await openServer(join(folder.path, 'keys.json'));
  return {
    ...keyManager,
    async [Symbol.asyncDispose]() {
      await keyManager[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});

describe('the file of the disk key manager', () => {
  for (const file of ['server/data/keys.json', 'agent/data/keys.json']) {
    test(`SPIRE's ${file} is read, and written again byte for byte`, async () => {
      const keys = await readKeysFile(join(fixtures, file));
      assert.equal(keysJson(keys), await readFile(join(fixtures, file), 'utf8'));
      assert.ok(keys.every(({ keyType }) => keyType === 'ec-p256'));
    });
  }

  test('without keys is written as SPIRE writes it', () => {
    assert.equal(keysJson([]), '{\n\t"keys": {}\n}');
  });

  test('is written at the first new key, for its owner only, and read by the next process', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'keys.json');
    await using first = await openServer(path);
    await assert.rejects(stat(path), { code: 'ENOENT' });
    const made = [
      await first.generateKey('b', 'ec-p384'),
      await first.generateKey('a', 'rsa-2048'),
    ];
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await assert.rejects(stat(`${path}.tmp`), { code: 'ENOENT' });
    assert.equal((await readFile(path, 'utf8')).endsWith('\n\t}\n}'), true);

    await using second = await openServer(path);
    for (const key of made) assertSame(await second.getKey(key.id), key);
  });

  test('has mode 0600 again after a write, whatever it had', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'keys.json');
    await writeFile(path, '{"keys":{}}', { mode: 0o644 });
    await using keyManager = await openServer(path);
    await keyManager.generateKey('a', 'ec-p256');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test('keeps the former key where the new one cannot be written', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'keys.json');
    await using keyManager = await openServer(path);
    const former = await keyManager.generateKey('a', 'ec-p256');
    const content = await readFile(path, 'utf8');
    await mkdir(`${path}.tmp`);
    await writeFile(join(`${path}.tmp`, 'in the way'), '');
    await assert.rejects(keyManager.generateKey('a', 'ec-p256'), {
      kind: 'internal',
      message: /^keymanager\(disk\): failed to generate key: unable to write entries: ./,
    });
    assertSame(await keyManager.getKey('a'), former);
    assert.equal(await readFile(path, 'utf8'), content);
  });

  test('that another server writes too is left to it, on the server', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'keys.json');
    await using first = await openServer(path);
    const kept = await first.generateKey('a', 'ec-p256');
    await using second = await openServer(path);
    await second.generateKey('a', 'ec-p256');
    const content = await readFile(path, 'utf8');
    await assert.rejects(first.generateKey('a', 'ec-p256'), {
      message: `keymanager(disk): failed to generate key: unable to write entries: ${path} was changed by another program since this one read it: two servers must not share their keys`,
    });
    assert.equal(await readFile(path, 'utf8'), content);
    assert.deepEqual((await first.getKey('a'))?.publicKey, kept.publicKey);
    await second.generateKey('b', 'ec-p256');
  });

  test('that has gone is made anew', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'keys.json');
    await using keys = await openServer(path);
    await keys.generateKey('a', 'ec-p256');
    await rm(path);
    await keys.generateKey('b', 'ec-p256');
    assert.equal((await readKeysFile(path)).length, 2);
  });

  test('of an agent is written whatever is in it', async () => {
    await using folder = await temporaryFolder();
    await using keys = await openAgent(folder.path);
    await keys.generateKey('a', 'ec-p256');
    await writeFile(join(folder.path, 'keys.json'), 'lost');
    await keys.generateKey('b', 'ec-p256');
    assert.equal((await readKeysFile(join(folder.path, 'keys.json'))).length, 2);
  });

  test('goes on after a failed write', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'late', 'keys.json');
    await using keyManager = await openServer(path);
    await assert.rejects(keyManager.generateKey('a', 'ec-p256'), {
      message: `keymanager(disk): failed to generate key: unable to write entries: open ${path}: no such file or directory`,
    });
    assert.equal(await keyManager.getKey('a'), undefined);
    await mkdir(join(folder.path, 'late'));
    const key = await keyManager.generateKey('a', 'ec-p256');
    await using next = await openServer(path);
    assertSame(await next.getKey('a'), key);
  });

  const entry = (der: Uint8Array) =>
    JSON.stringify({ keys: { k: Buffer.from(der).toString('base64') } });
  const pkcs8 = { privateKeyEncoding: { format: 'der', type: 'pkcs8' } } as const;
  const publicKeyEncoding = { format: 'der', type: 'spki' } as const;
  const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024, publicKeyEncoding, ...pkcs8 });
  const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521', publicKeyEncoding, ...pkcs8 });
  const ed25519 = generateKeyPairSync('ed25519', { publicKeyEncoding, ...pkcs8 });
  const corrupt: [why: string, content: string, message: RegExp][] = [
    ['no JSON', 'garbage', /unable to decode keys JSON: \S+keys\.json: .*nothing was changed/],
    ['cut off', '{"keys": {"a": "', /unable to decode keys JSON: /],
    ['empty', '', /unable to decode keys JSON: /],
    ['a list', '[]', /unable to decode keys JSON: \S+: not an object with the member "keys"/],
    ['keys that are a list', '{"keys":[]}', /unable to decode keys JSON: /],
    [
      'a number for a key',
      '{"keys":{"k":1}}',
      /unable to decode keys JSON: \S+: key "k" is not a base64/,
    ],
    ['no base64', '{"keys":{"k":"*"}}', /unable to decode keys JSON: /],
    ['no PKCS#8', entry(Buffer.from('garbage')), /unable to parse key "k": ./],
    ['an Ed25519 key', entry(ed25519.privateKey), /unable to parse key "k": ./],
    [
      'an RSA key of 1024 bits',
      entry(rsa1024.privateKey),
      /unable to (?:make entry "k": unable to make key entry for key "k": no RSA key type for key bit length: 1024|parse key "k": .*)$/,
    ],
    [
      'a P-521 key',
      entry(p521.privateKey),
      /unable to make entry "k": unable to make key entry for key "k": no EC key type for EC curve: P-521$/,
    ],
  ];
  for (const [why, content, message] of corrupt) {
    test(`that is corrupt (${why}) is refused and stays as it is`, async () => {
      await using folder = await temporaryFolder();
      const path = join(folder.path, 'keys.json');
      await writeFile(path, content);
      await assert.rejects(openServer(path), { kind: 'internal', message });
      assert.equal(await readFile(path, 'utf8'), content);
    });
  }

  for (const content of ['{}', '{"keys":null}', '{"keys":{}, "more": 1}']) {
    test(`${content} holds no keys`, async () => {
      await using folder = await temporaryFolder();
      const path = join(folder.path, 'keys.json');
      await writeFile(path, content);
      await using keyManager = await openServer(path);
      assert.deepEqual(await keyManager.getKeys(), []);
    });
  }

  test('that cannot be read is told with its path', async () => {
    await using folder = await temporaryFolder();
    await assert.rejects(openServer(folder.path), {
      message: `failed to configure plugin "disk": rpc error: code = Unknown desc = read ${folder.path}: is a directory`,
    });
  });
});

describe('the configuration of the disk key manager', () => {
  for (const hcl of ['', 'keys_path = ""', 'directory = "/x"']) {
    test(`on the server needs keys_path: ${hcl}`, async () => {
      await assert.rejects(load(hcl), {
        kind: 'invalid',
        message:
          'failed to configure plugin "disk": rpc error: code = InvalidArgument desc = keys_path is required',
      });
    });
  }

  for (const hcl of ['', 'keys_path = "/x"']) {
    test(`on the agent needs directory: ${hcl}`, async () => {
      await assert.rejects(load(hcl, agentKeyManagers), {
        kind: 'invalid',
        message:
          'failed to configure plugin "disk": rpc error: code = InvalidArgument desc = directory must be configured',
      });
    });
  }

  test('refuses a value of the wrong type', async () => {
    await assert.rejects(load('keys_path = []'), {
      message:
        /^failed to configure plugin "disk": rpc error: code = InvalidArgument desc = unable to decode configuration: ./,
    });
  });

  test('on the agent makes the folder, for its owner only, and puts keys.json there', async () => {
    await using folder = await temporaryFolder();
    const directory = join(folder.path, 'deep', 'data');
    await using keyManager = await openAgent(directory);
    await keyManager.generateKey('agent-svid-A', 'ec-p256');
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.equal((await stat(join(directory, 'keys.json'))).mode & 0o777, 0o600);
    await assert.rejects(stat(join(directory, '.probe')), { code: 'ENOENT' });
  });

  test('on the agent refuses a folder that it cannot write to', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    await assert.rejects(openAgent(file), {
      kind: 'failed-precondition',
      message:
        /^failed to configure plugin "disk": rpc error: code = FailedPrecondition desc = directory validation failed: ./,
    });
    if (process.getuid?.() === 0) return; // root may write anywhere
    await chmod(folder.path, 0o500);
    await assert.rejects(openAgent(folder.path), { kind: 'failed-precondition' });
  });
});
