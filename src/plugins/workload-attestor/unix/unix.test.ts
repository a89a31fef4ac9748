import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  constants,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pluginSettings } from '../../../../test/kit/plugin-settings.ts';
import { temporaryFolder } from '../../../../test/kit/temp-dir.ts';
import { loadPlugin } from '../../../catalog/load-plugin.ts';
import { silentLog } from '../../../ops/log.ts';
import { workloadAttestors } from '../builtins.ts';
import { workloadAttestorSuite } from '../contract.suite.ts';
import { hashFile } from './hash-file.ts';
import { createNameFile, parseNames } from './name-file.ts';
import { createUnixAttestor, type UnixAttestorDeps } from './unix-attestor.ts';

const { signal } = new AbortController();

const load = (hcl = '', environment: Readonly<Record<string, string>> = {}) =>
  loadPlugin(
    {
      kind: 'WorkloadAttestor',
      builtIns: workloadAttestors,
      log: silentLog,
      env: () => ({ environment }),
    },
    { name: 'unix', data: pluginSettings(hcl) },
  );

workloadAttestorSuite('unix', () => load());

const names = (known: Readonly<Record<string, string>>) => ({
  nameOf: async (id: string) => known[id],
});

/** An attestor that sees one process: our own number, with what the test says of it. */
async function attestorOf(
  status: string,
  changes: Partial<UnixAttestorDeps> & { readonly executable?: string } = {},
) {
  const folder = await temporaryFolder();
  const own = join(folder.path, String(process.pid));
  await mkdir(own);
  await writeFile(join(own, 'status'), status);
  if (changes.executable !== undefined) await symlink(changes.executable, join(own, 'exe'));
  const attestor = createUnixAttestor({
    discoverPath: false,
    sizeLimit: 0,
    proc: folder.path,
    users: names({ '1000': 'alice', '0': 'root' }),
    groups: names({ '1000': 'users', '7': 'seven', '0': 'root' }),
    ...changes,
  });
  return { attest: () => attestor.attest(process.pid, signal), folder };
}

const ALICE = 'Uid:\t0\t1000\t0\t0\nGid:\t0\t1000\t0\t0\nGroups:\t7 8 1000 \n';

describe('selectors of the unix attestor', () => {
  const rows: [why: string, status: string, selectors: string[]][] = [
    [
      'effective user and group, and supplementary groups in their order',
      ALICE,
      [
        'uid:1000',
        'user:alice',
        'gid:1000',
        'group:users',
        'supplementary_gid:7',
        'supplementary_group:seven',
        'supplementary_gid:8',
        'supplementary_gid:1000',
        'supplementary_group:users',
      ],
    ],
    [
      'one number is that one',
      'Uid:\t0\nGid:\t0\nGroups:\n',
      ['uid:0', 'user:root', 'gid:0', 'group:root'],
    ],
    ['names that are not known are left out', 'Uid:\t5\t5\nGid:\t6\t6\n', ['uid:5', 'gid:6']],
  ];
  for (const [why, status, selectors] of rows) {
    test(why, async () => {
      const { attest, folder } = await attestorOf(status);
      await using _ = folder;
      assert.deepEqual(await attest(), selectors);
    });
  }

  const refused: [why: string, status: string, message: string][] = [
    ['no Uid line', 'Gid:\t0\n', 'UIDs lookup: no UIDs for process'],
    ['an empty Uid line', 'Uid:\t\nGid:\t0\n', 'UIDs lookup: no UIDs for process'],
    ['no Gid line', 'Uid:\t0\n', 'GIDs lookup: no GIDs for process'],
  ];
  for (const [why, status, message] of refused) {
    test(`${why}: refused`, async () => {
      const { attest, folder } = await attestorOf(status);
      await using _ = folder;
      await assert.rejects(attest(), { kind: 'internal', message });
    });
  }

  test('a process without status', async () => {
    const { attest, folder } = await attestorOf(ALICE);
    await using _ = folder;
    const status = join(folder.path, String(process.pid), 'status');
    await rm(status);
    await assert.rejects(attest(), {
      kind: 'internal',
      message: `UIDs lookup: open ${status}: no such file or directory`,
    });
  });

  const CONTENT = 'the executable';
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  const sizes: [limit: number, found: 'hashed' | 'path only' | 'too large'][] = [
    [0, 'hashed'],
    [CONTENT.length, 'hashed'],
    [CONTENT.length - 1, 'too large'],
    [-1, 'path only'],
  ];
  for (const [sizeLimit, found] of sizes) {
    test(`with discover_workload_path and a limit of ${sizeLimit}: ${found}`, async () => {
      await using files = await temporaryFolder();
      const executable = join(files.path, 'program');
      await writeFile(executable, CONTENT);
      const { attest, folder } = await attestorOf('Uid:\t5\nGid:\t6\n', {
        discoverPath: true,
        sizeLimit,
        executable,
      });
      await using _ = folder;
      const link = join(folder.path, String(process.pid), 'exe');
      if (found === 'too large') {
        await assert.rejects(attest(), {
          kind: 'internal',
          message: `SHA256 digest: workload ${link} exceeds size limit (14 > 13)`,
        });
        return;
      }
      const hash = found === 'hashed' ? [`sha256:${sha256}`] : [];
      assert.deepEqual(await attest(), ['uid:5', 'gid:6', `path:${executable}`, ...hash]);
    });
  }

  test('with discover_workload_path a process without executable is refused', async () => {
    const { attest, folder } = await attestorOf('Uid:\t5\nGid:\t6\n', { discoverPath: true });
    await using _ = folder;
    const link = join(folder.path, String(process.pid), 'exe');
    await assert.rejects(attest(), {
      kind: 'internal',
      message: `path lookup: readlink ${link}: no such file or directory`,
    });
  });

  test('an executable that cannot be opened is refused', async () => {
    const { attest, folder } = await attestorOf('Uid:\t5\nGid:\t6\n', {
      discoverPath: true,
      executable: '/nowhere/program',
    });
    await using _ = folder;
    const link = join(folder.path, String(process.pid), 'exe');
    await assert.rejects(attest(), {
      kind: 'internal',
      message: `SHA256 digest: open ${link}: no such file or directory`,
    });
  });
});

describe('the unix attestor and real processes', () => {
  async function withProcess(
    child: ChildProcess,
    run: (pid: number) => Promise<void>,
  ): Promise<void> {
    try {
      await once(child, 'spawn');
      await run(child.pid ?? 0);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  const sleep = (program = '/bin/sleep', options = {}) =>
    spawn(program, ['60'], { stdio: 'ignore', ...options });

  test('path and sha256 are those of the executable', async () => {
    await using attestor = await load('discover_workload_path = true');
    await withProcess(sleep(), async (pid) => {
      const path = await realpath('/bin/sleep');
      const digest = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      const selectors = await attestor.attest(pid, signal);
      assert.ok(selectors.includes(`path:${path}`));
      assert.ok(selectors.includes(`sha256:${digest}`));
      assert.ok(selectors.includes(`uid:${process.getuid?.()}`));
    });
  });

  test('a deleted executable is still the one that runs', async () => {
    await using folder = await temporaryFolder();
    const program = join(folder.path, 'program');
    await copyFile('/bin/sleep', program);
    await using attestor = await load('discover_workload_path = true');
    await withProcess(sleep(program), async (pid) => {
      const running = createHash('sha256')
        .update(await readFile(program))
        .digest('hex');
      await rm(program);
      await writeFile(program, 'another one');
      const selectors = await attestor.attest(pid, signal);
      assert.ok(selectors.includes(`path:${program} (deleted)`));
      assert.ok(selectors.includes(`sha256:${running}`));
    });
  });

  test('a symbolic link does not hide what it leads to', async () => {
    await using folder = await temporaryFolder();
    const good = join(folder.path, 'good');
    const evil = join(folder.path, 'evil');
    await copyFile('/bin/sleep', evil);
    await symlink(evil, good);
    await using attestor = await load('discover_workload_path = true');
    await withProcess(sleep(good), async (pid) => {
      const selectors = await attestor.attest(pid, signal);
      assert.ok(selectors.includes(`path:${evil}`));
      assert.ok(!selectors.includes(`path:${good}`));
    });
  });

  test('a program that replaces the one that runs does not change what is found', async () => {
    await using folder = await temporaryFolder();
    const program = join(folder.path, 'program');
    await copyFile('/bin/sleep', program);
    await using attestor = await load('discover_workload_path = true');
    await withProcess(sleep(program), async (pid) => {
      const before = await attestor.attest(pid, signal);
      await writeFile(join(folder.path, 'new'), 'another one');
      await rename(join(folder.path, 'new'), program);
      const after = await attestor.attest(pid, signal);
      assert.equal(hashIn(after), hashIn(before));
      assert.ok(!after.includes(`path:${program}`), 'its path is not that of the new one');
    });
  });

  test('one that becomes another program in the middle of it is not attested', async () => {
    await using folder = await temporaryFolder();
    const own = join(folder.path, String(process.pid));
    await mkdir(own);
    await writeFile(join(own, 'status'), 'Uid:\t5\nGid:\t6\n');
    const first = join(folder.path, 'first');
    assert.equal(spawnSync('mkfifo', [first]).status, 0);
    await writeFile(join(folder.path, 'second'), 'second');
    await symlink(first, join(own, 'exe'));
    const attestor = createUnixAttestor({
      discoverPath: true,
      sizeLimit: 0,
      proc: folder.path,
      users: names({}),
      groups: names({}),
    });
    const attested = attestor.attest(process.pid, signal);
    // There is a reader once its first program is being hashed, which then waits for us.
    let pipe: FileHandle | undefined;
    await until(async () => {
      pipe = await open(first, constants.O_WRONLY | constants.O_NONBLOCK);
      return true;
    });
    await symlink(join(folder.path, 'second'), join(own, 'next'));
    await rename(join(own, 'next'), join(own, 'exe'));
    await pipe?.close();
    await assert.rejects(attested, {
      kind: 'internal',
      message: /^path lookup: the process became another program while it was looked at$/,
    });
  });

  test('who makes a mount namespace of its own can call its program what it likes; its hash stays', async (t) => {
    const skip = missingNamespaces();
    if (skip !== false) {
      t.skip(skip);
      return;
    }
    await using folder = await temporaryFolder();
    const good = join(folder.path, 'good');
    const evil = join(folder.path, 'evil');
    await writeFile(good, 'the trusted program');
    await copyFile('/bin/sleep', evil);
    await using attestor = await load('discover_workload_path = true');
    const child = spawn(
      'unshare',
      ['-Urm', '/bin/sh', '-c', `mount --bind ${evil} ${good} && exec ${good} 60`],
      { stdio: 'ignore' },
    );
    await withProcess(child, async (pid) => {
      await until(async () => (await readlink(`/proc/${pid}/exe`)).startsWith(folder.path));
      const selectors = await attestor.attest(pid, signal);
      const digest = createHash('sha256')
        .update(await readFile(evil))
        .digest('hex');
      assert.equal(hashIn(selectors), `sha256:${digest}`);
      assert.ok(selectors.includes(`path:${good}`), 'documented in docs/security.md');
    });
  });

  test('root of a user namespace is who it is outside', async (t) => {
    const skip = missingNamespaces();
    if (skip !== false) {
      t.skip(skip);
      return;
    }
    await using attestor = await load();
    const child = spawn('unshare', ['-Ur', '/bin/sleep', '60'], {
      stdio: 'ignore',
      uid: 54321,
      gid: 54322,
      cwd: '/',
    });
    await withProcess(child, async (pid) => {
      await until(async () => (await readFile(`/proc/${pid}/uid_map`, 'utf8')).includes('54321'));
      const selectors = await attestor.attest(pid, signal);
      assert.deepEqual(selectors.slice(0, 2), ['uid:54321', 'gid:54322']);
    });
  });

  test('the effective user and group of a process of another user', async (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('only root starts processes of others');
      return;
    }
    await using attestor = await load();
    await withProcess(sleep('/bin/sleep', { uid: 54321, gid: 54322 }), async (pid) => {
      const selectors = await attestor.attest(pid, signal);
      assert.deepEqual(selectors.slice(0, 2), ['uid:54321', 'gid:54322']);
    });
  });

  test('HOST_PROC names another place for /proc', async () => {
    const { folder } = await attestorOf('Uid:\t54321\nGid:\t54322\n');
    await using _ = folder;
    await using attestor = await load('', { HOST_PROC: folder.path });
    assert.deepEqual(await attestor.attest(process.pid, signal), ['uid:54321', 'gid:54322']);
  });
});

const hashIn = (selectors: readonly string[]) =>
  selectors.find((value) => value.startsWith('sha256:'));

/** Why no namespaces can be made here, if so. */
function missingNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'only root can be sure to make namespaces';
  return spawnSync('unshare', ['-Urm', 'true']).status === 0 ? false : 'no namespaces here';
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await condition().catch(() => false))) assert.ok(Date.now() < deadline, 'in vain');
}

describe('the configuration of the unix attestor', () => {
  test('by default finds out neither path nor hash', async () => {
    await using attestor = await load();
    const selectors = await attestor.attest(process.pid, signal);
    assert.ok(selectors.every((value) => !/^(?:path|sha256):/.test(value)));
  });

  test('limits what is hashed', async () => {
    await using attestor = await load('discover_workload_path = true\nworkload_size_limit = 1');
    await assert.rejects(attestor.attest(process.pid, signal), {
      message: new RegExp(
        `^workloadattestor\\(unix\\): SHA256 digest: workload /proc/${process.pid}/exe exceeds size limit \\(\\d+ > 1\\)$`,
      ),
    });
  });

  for (const hcl of ['discover_workload_path = []', 'workload_size_limit = "x"']) {
    test(`refuses ${hcl}`, async () => {
      await assert.rejects(load(hcl), {
        kind: 'invalid',
        message:
          /^failed to configure plugin "unix": rpc error: code = InvalidArgument desc = failed to decode configuration: ./,
      });
    });
  }
});

describe('a file of names', () => {
  const PASSWD = [
    '# a comment',
    'root:x:0:0:root:/root:/bin/bash',
    'toor:x:0:0:root:/root:/bin/bash',
    '  alice:x:1000:1000::/home/alice:/bin/sh',
    '+nis:x:5:5::/:',
    '-nis:x:6:6::/:',
    ':x:7:7::/:',
    'short:x:8:8',
    'odd:x:nine:9::/:',
    'padded:x:010:10::/:',
    '',
  ].join('\n');

  test('gives the first name of a number; comments, NIS and malformed lines are skipped', () => {
    assert.deepEqual(
      [...parseNames(PASSWD, 7)],
      [
        ['0', 'root'],
        ['1000', 'alice'],
        ['010', 'padded'],
      ],
    );
    assert.deepEqual([...parseNames('users:x:100:\nshort:x:1\n', 4)], [['100', 'users']]);
  });

  test('is read again when it has changed, once for all who ask', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'group');
    await writeFile(path, 'a:x:1:\n');
    const file = createNameFile(path, { fields: 4 });
    assert.deepEqual(await Promise.all([file.nameOf('1'), file.nameOf('1'), file.nameOf('2')]), [
      'a',
      'a',
      undefined,
    ]);
    await writeFile(path, 'a:x:1:\nb:x:2:\n');
    assert.equal(await file.nameOf('2'), 'b');
    await rm(path);
    assert.equal(await file.nameOf('2'), undefined);
    await writeFile(path, 'c:x:2:\n');
    assert.equal(await file.nameOf('2'), 'c');
  });

  test('that is far too large, or missing, gives no names', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'passwd');
    const file = createNameFile(path, { fields: 7 });
    assert.equal(await file.nameOf('0'), undefined);
    await writeFile(path, PASSWD);
    await truncate(path, 17 * 1024 * 1024);
    assert.equal(await file.nameOf('0'), undefined);
    await writeFile(path, PASSWD);
    assert.equal(await file.nameOf('0'), 'root');
  });
});

test('hashing ends with the signal', async () => {
  const reason = new Error('enough');
  await assert.rejects(hashFile('/proc/self/exe', 0, AbortSignal.abort(reason)), reason);
});
