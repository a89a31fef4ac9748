import assert from 'node:assert/strict';
import { copyFile, mkdir, rename, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { eventually, Program, runProgram, spireServer } from '../kit/programs.ts';
import { attestWithToken, mintIdentity } from '../kit/server-callers.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { assertGood, createEntry, createToken, entryIds } from './plain-calls.ts';

type World = { readonly domain: TrustDomainProcesses; readonly database: string };

/** A server that has acknowledged an entry and a token. */
async function start(t: TestContext): Promise<World> {
  const domain = await TrustDomainProcesses.create({
    server: 'ratelimit { attestation = false }',
  });
  t.after(() => domain[Symbol.asyncDispose]());
  await domain.startServer();
  await createToken(domain, 'before');
  assert.equal(await createEntry(domain, 'before'), 'OK');
  return { domain, database: domain.path('server/datastore.sqlite3') };
}

/** What an operator does by mistake, and how it is put right. */
const losses: readonly {
  readonly what: string;
  readonly file: '' | '-wal';
  readonly lose: (database: string) => Promise<void>;
  readonly repair: (database: string) => Promise<void>;
}[] = [
  {
    what: 'moved away',
    file: '',
    lose: (database) => rename(database, `${database}.away`),
    repair: (database) => rename(`${database}.away`, database),
  },
  {
    what: 'replaced by a copy',
    file: '',
    async lose(database) {
      await copyFile(database, `${database}.copy`);
      await rename(database, `${database}.away`);
      await rename(`${database}.copy`, database);
    },
    repair: (database) => rename(`${database}.away`, database),
  },
  {
    what: 'without its write-ahead log',
    file: '-wal',
    lose: (database) => rename(`${database}-wal`, `${database}.wal-away`),
    repair: (database) => rename(`${database}.wal-away`, `${database}-wal`),
  },
  {
    what: 'gone with its folder',
    file: '',
    async lose(database) {
      await rename(dirname(database), `${dirname(database)}-away`);
      await mkdir(dirname(database));
    },
    async repair(database) {
      await rm(dirname(database), { recursive: true });
      await rename(`${dirname(database)}-away`, dirname(database));
    },
  },
];

describe('a database', { concurrency: 2 }, () => {
  for (const { what, file, lose, repair } of losses) {
    test(`that is ${what} is told, takes no write, and loses none`, async (t) => {
      const { domain, database } = await start(t);
      await lose(database);
      const lost = `datastore-sql: ${database}${file} was removed or replaced (nothing was written; put it back, or restart the server on a backup)`;
      assert.equal(
        await createEntry(domain, 'meanwhile'),
        `code 13: failed to create entry: ${lost}`,
      );
      await assert.rejects(createToken(domain, 'meanwhile'), {
        kind: 'internal',
        message: `failed to create token: ${lost}`,
      });
      await assert.rejects(attestWithToken(domain, 'before'), {
        kind: 'internal',
        message: `failed to fetch join token: ${lost}`,
      });
      // What is known is served.
      assert.deepEqual(await entryIds(domain), ['before']);
      await mintIdentity(domain, domain.id('/minted'));
      const told = /level=error msg="The database is lost: [^\n]*/g;
      await domain.server.says(new RegExp(told.source));
      assert.equal(domain.server.output.match(told)?.length, 1, domain.server.output);

      await repair(database);
      assert.equal(await createEntry(domain, 'meanwhile'), 'OK');
      await domain.server.says(/level=info msg="The database is there again"/);
      await assertGood(domain, 'before');
      await createToken(domain, 'after');
      await domain.server.stop('SIGKILL');
      await domain.startServer();
      assert.deepEqual((await entryIds(domain)).toSorted(), ['before', 'meanwhile']);
      await assertGood(domain, 'after');
    });
  }

  test('that was removed for good leaves a server that is not healthy, and ends in peace', async (t) => {
    const { domain, database } = await start(t);
    for (const end of ['', '-wal', '-shm']) await rm(`${database}${end}`);
    assert.match(await createEntry(domain, 'meanwhile'), /was removed or replaced/);
    const { code, stderr } = await domain.tryServer('healthcheck');
    assert.equal(code, 1);
    assert.equal(stderr, 'Error: server is unhealthy: server returned status "NOT_SERVING"\n');
    assert.deepEqual(await entryIds(domain), ['before']);
    assert.deepEqual(await domain.server.stop(), { code: 0, signal: null });
  });

  test('that was cut off fails loudly, and so does a start on it', async (t) => {
    const { domain, database } = await start(t);
    await domain.restartServer(); // so that the file, not the log, holds all
    await truncate(database, 4096 * 3);
    let answer = 'OK';
    for (let turn = 0; turn < 20 && answer === 'OK'; turn++) {
      answer = await createEntry(domain, `turn-${turn}`);
    }
    assert.match(answer, /^code 13: failed to create entry: datastore-sql: /);
    await mintIdentity(domain, domain.id('/minted'));
    await domain.server.stop('SIGKILL');
    const program = domain.runServerProcess();
    assert.deepEqual(await program.exited, { code: 1, signal: null });
    assert.match(program.output, /level=error msg="Server crashed" error="datastore-sql: /);
  });

  test('on a disk that fails takes no write, until it works again', async (t) => {
    const { domain } = await start(t);
    await domain.server.stop();
    // Ignored signals stay ignored: what would be written beyond the limit fails with EFBIG.
    const command = `trap "" XFSZ; exec "${spireServer}" run -config "${domain.path('server.conf')}"`;
    const program = new Program(['sh', '-c', command]);
    t.after(() => program.stop('SIGKILL'));
    await eventually(
      () =>
        entryIds(domain).then(
          () => true,
          () => false,
        ),
      `the server: ${program.output}`,
    );
    const limit = async (bytes: string) => {
      const { code, stderr } = await runProgram([
        'prlimit',
        `--pid=${program.child.pid}`,
        `--fsize=${bytes}:unlimited`,
      ]);
      assert.equal(code, 0, stderr);
    };
    await limit('4096');
    const failed = 'datastore-sql: disk I/O error (see the health of the disk)';
    for (let turn = 0; turn < 3; turn++) {
      assert.equal(
        await createEntry(domain, 'meanwhile'),
        `code 13: failed to create entry: ${failed}`,
      );
    }
    assert.deepEqual(await entryIds(domain), ['before']);
    await mintIdentity(domain, domain.id('/minted'));
    await limit('unlimited');
    assert.equal(await createEntry(domain, 'after'), 'OK');
    await assertGood(domain, 'before');
    await program.stop('SIGKILL');
    await domain.startServer();
    assert.deepEqual((await entryIds(domain)).toSorted(), ['after', 'before']);
  });
});
