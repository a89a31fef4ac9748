import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { diskState } from '../kit/disk-state.ts';
import { runProgram, spireAgent, spireServer } from '../kit/programs.ts';
import { notRoot } from '../kit/toolchain.ts';
import { startServerOnly, TrustDomainProcesses } from '../kit/trust-domain.ts';

const OTHER_UID = 4242;
const THIRD_UID = 4243;

/** Whether another user may start our programs at all: a checkout may lie in a private folder. */
async function othersCannotRun(): Promise<string | false> {
  if (notRoot !== false) return notRoot;
  const user = { uid: OTHER_UID, gid: OTHER_UID, cwd: '/' };
  const { code } = await runProgram([spireServer, '--version'], user).catch(() => ({ code: 1 }));
  return code === 0 ? false : 'other users cannot reach this checkout';
}

describe('a data directory of somebody else', async () => {
  const skip = await othersCannotRun();
  for (const [name, command] of [
    ['server', spireServer],
    ['agent', spireAgent],
  ] as const) {
    test(`is refused by the ${name}, and left as it is`, { skip }, async (t) => {
      const domain = await TrustDomainProcesses.create();
      t.after(() => domain[Symbol.asyncDispose]());
      await writeFile(domain.path('bundle.pem'), '');
      const data = domain.path(name);
      await mkdir(data, { mode: 0o755 });
      await chown(data, THIRD_UID, THIRD_UID);
      await chmod(domain.folder, 0o777); // for the socket
      const before = await diskState(domain.folder);
      const { code, stdout, stderr } = await runProgram(
        [command, 'run', '-config', domain.path(`${name}.conf`)],
        { uid: OTHER_UID, gid: OTHER_UID, cwd: '/' },
      );
      assert.equal(code, 1, stdout + stderr);
      assert.match(
        stdout,
        new RegExp(
          `data directory ${data} cannot be used: permission denied .*belongs to uid ${THIRD_UID}, this process runs as uid ${OTHER_UID}`,
        ),
      );
      assert.deepEqual(await diskState(domain.folder), before);
    });
  }
});

describe('a database that is not one of ours', () => {
  const databases: readonly [
    why: string,
    make: (path: string) => void | Promise<void>,
    complaint: RegExp,
  ][] = [
    [
      'of a newer version',
      (path) => {
        using db = new DatabaseSync(path);
        db.exec(`update migrations set version = 99, code_version = '9.0.0'`);
      },
      /error="datastore-sql: incompatible DB schema .* run the release that wrote it, or restore a backup/,
    ],
    [
      'of an older version',
      (path) => {
        using db = new DatabaseSync(path);
        db.exec(`update migrations set version = 12, code_version = '1.0.0'`);
      },
      /error="datastore-sql: migrating from schema version 12 requires a previous SPIRE release; please follow/,
    ],
    [
      'of another program',
      async (path) => {
        await writeFile(path, '');
        using db = new DatabaseSync(path);
        db.exec('create table songs (title text); insert into songs values (1)');
      },
      /error="datastore-sql: this is not the database of a SPIFFE server: .*nothing was changed"/,
    ],
    [
      'that is no database',
      (path) => writeFile(path, 'this is a letter to my grandmother\n'.repeat(100)),
      /msg="Server crashed" error="datastore-sql: .*not a database/,
    ],
    [
      'that is cut off',
      async (path) => writeFile(path, (await readFile(path)).subarray(0, 5000)),
      /error="datastore-sql: database disk image is malformed \(restore a backup\)/,
    ],
  ];
  for (const [why, make, complaint] of databases) {
    test(`${why} is refused, and left as it is`, async (t) => {
      const domain = await startServerOnly(t);
      await domain.server.stop();
      const path = domain.path('server/datastore.sqlite3');
      await make(path);
      // Whatever SQLite keeps beside it while it is open is gone by now.
      const before = await diskState(domain.folder);
      const program = domain.runServerProcess();
      assert.deepEqual(await program.exited, { code: 1, signal: null });
      assert.match(program.stdout, complaint);
      assert.deepEqual(await diskState(domain.folder), before);
    });
  }
});
