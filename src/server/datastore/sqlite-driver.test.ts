import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { CompiledQuery, Kysely, sql } from 'kysely';
import {
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { batch } from './batch.ts';
import { sqlite } from './dialect.ts';
import { createEntryStore } from './entry-store.ts';
import type { Schema } from './schema.ts';
import { MAX_WAITING, sqliteDialect } from './sqlite-driver.ts';
import { SqliteThread } from './sqlite-thread.ts';

type Notes = { notes: { id: number; text: string | null } };

/** A thread on a new file with one table. */
async function start(t: TestContext) {
  const file = join(await temporaryFolder(t), 'd.sqlite3');
  const thread = await SqliteThread.open({ uri: `file:${file}`, busyTimeoutMilliseconds: 50 });
  t.after(() => thread[Symbol.asyncDispose]());
  const db = new Kysely<Notes>({ dialect: sqliteDialect(thread, 'immediate') });
  await sql`pragma journal_mode = wal`.execute(db);
  await sql`pragma synchronous = normal`.execute(db);
  await sql`create table notes (id integer primary key, text text unique)`.execute(db);
  return { file, thread, db };
}

const insert = (db: Kysely<Notes>, id: number, text: string | null = null) =>
  db.insertInto('notes').values({ id, text }).execute();

const ids = async (db: Kysely<Notes>) =>
  (await db.selectFrom('notes').select('id').orderBy('id').execute()).map(({ id }) => id);

test('values of every kind come back as they went', async (t) => {
  const { db } = await start(t);
  const values = [
    null,
    0,
    -1,
    2 ** 53 - 1,
    1.5,
    '',
    'ä\0b',
    Uint8Array.of(0, 255),
    new Uint8Array(),
  ];
  for (const value of values) {
    const { rows } = await sql<{ value: unknown }>`select ${value} as value`.execute(db);
    assert.deepEqual(rows, [{ value }]);
  }
  const { rows } = await sql`select ${true} as yes, ${false} as no, ${undefined} as none`.execute(
    db,
  );
  assert.deepEqual(rows, [{ yes: 1, no: 0, none: null }]);
  const big = await sql`select ${2n ** 62n} as big, 7 as small`.execute(db);
  assert.deepEqual(big.rows, [{ big: 2n ** 62n, small: 7 }]);
  await assert.rejects(sql`select ${new Date(0)}`.execute(db), { kind: 'internal' });
});

/** Answers each statement with the statements of the message that it came in. */
const echoingThread = `
  import { parentPort } from 'node:worker_threads';
  parentPort.on('message', (batch) => {
    if (batch === 'close') return parentPort.close();
    const together = batch.map(({ sql }) => sql.split(' ')[0]).join(' ');
    parentPort.postMessage(batch.map(() => ({ kind: 'rows', rows: [{ together }] })));
  });
  parentPort.postMessage({ kind: 'opened' });`;

test('a batch is one message, BEGIN goes with the first', async (t) => {
  const program = join(await temporaryFolder(t), 'echoing.mjs');
  await writeFile(program, echoingThread);
  const opening = { uri: 'file::memory:', busyTimeoutMilliseconds: 0 };
  await using thread = await SqliteThread.open(opening, pathToFileURL(program));
  const db = new Kysely<Notes>({ dialect: sqliteDialect(thread, 'immediate') });
  const together = await db.transaction().execute(async (tx) => {
    const ask = (text: string) => ({ compile: () => CompiledQuery.raw(text) });
    const first = await batch(tx, [ask('select 1'), ask('update 2'), ask('select 3')]);
    const second = await batch(tx, [ask('delete 4')]);
    return [...first, ...second, ...(await batch(tx, []))];
  });
  const first = [{ together: 'begin select update select' }];
  assert.deepEqual(together, [first, first, first, [{ together: 'delete' }]]);
});

test('a transaction that throws leaves nothing', async (t) => {
  const { db } = await start(t);
  const failing = db.transaction().execute(async (tx) => {
    await insert(tx, 1);
    throw new Error('no');
  });
  await assert.rejects(failing, { message: 'no' });
  assert.deepEqual(await ids(db), []);
});

test('a statement that fails takes those asked beside it back', async (t) => {
  const { db } = await start(t);
  await insert(db, 1, 'a');
  const values = (id: number, text: string) => ({ id, text });
  const failing = db.transaction().execute((tx) =>
    batch(
      tx,
      [values(2, 'b'), values(3, 'a'), values(4, 'c')].map((row) =>
        tx.insertInto('notes').values(row),
      ),
    ),
  );
  await assert.rejects(failing, {
    kind: 'already-exists',
    message: 'datastore-sql: UNIQUE constraint failed: notes.text',
  });
  assert.deepEqual(await ids(db), [1]);
});

test('transactions take turns, and single statements see none half done', async (t) => {
  const { db } = await start(t);
  const counts: number[] = [];
  const pair = async (id: number) =>
    db.transaction().execute(async (tx) => {
      await insert(tx, id);
      await insert(tx, id + 1);
    });
  const count = async () => counts.push((await ids(db)).length);
  await Promise.all([pair(10), count(), pair(20), count(), pair(30), count()]);
  assert.deepEqual(counts, [2, 4, 6]);
});

test('a transaction that cannot be committed leaves nothing, and lets the next one in', async (t) => {
  const { db } = await start(t);
  await sql`create table parts (note integer references notes (id) deferrable initially deferred)`.execute(
    db,
  );
  const failing = db.transaction().execute(async (tx) => {
    await insert(tx, 1);
    await sql`insert into parts (note) values (99)`.execute(tx);
  });
  await assert.rejects(failing, {
    kind: 'already-exists', // as every constraint
    message: 'datastore-sql: FOREIGN KEY constraint failed',
  });
  assert.deepEqual(await ids(db), []);
  await db.transaction().execute((tx) => insert(tx, 2));
  assert.deepEqual(await ids(db), [2]);
});

test('when too many wait for their turn, more are refused, and those that wait are served', async (t) => {
  const { db } = await start(t);
  const outcomes = await Promise.allSettled(
    Array.from({ length: MAX_WAITING + 5 }, (_, id) =>
      db.transaction().execute((tx) => insert(tx, id)),
    ),
  );
  const refused = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [String(outcome.reason)] : [],
  );
  const text = 'Fault: datastore-sql: too many callers wait for the database';
  assert.deepEqual(
    refused,
    Array.from({ length: 5 }, () => text),
  );
  assert.equal((await ids(db)).length, MAX_WAITING);
});

test('a statement of a transaction that the database has rolled back is not run alone', async (t) => {
  const { db } = await start(t);
  const failing = db.transaction().execute(async (tx) => {
    await insert(tx, 1);
    await sql`insert or rollback into notes (id) values (1)`.execute(tx).catch(() => {});
    await insert(tx, 2);
  });
  await assert.rejects(failing, { message: 'datastore-sql: the transaction was rolled back' });
  assert.deepEqual(await ids(db), []);
});

test('a database that another process has locked is told so, and nothing of the transaction runs', async (t) => {
  const { file, db } = await start(t);
  using other = new DatabaseSync(file);
  other.exec('begin immediate');
  const locked = {
    kind: 'unknown',
    message: 'datastore-sql: database is locked (another process holds the lock on it)',
  };
  const writing = () =>
    db.transaction().execute((tx) => Promise.all([insert(tx, 1), insert(tx, 2)]));
  await assert.rejects(writing(), locked);
  await assert.rejects(
    db.transaction().execute(async () => {}), // only BEGIN and COMMIT
    locked,
  );
  await assert.rejects(insert(db, 3), locked);
  other.exec('rollback');
  await writing();
  assert.deepEqual(await ids(db), [1, 2]);
});

test('a full disk is told so, and everything works again when there is room', async (t) => {
  const file = join(await temporaryFolder(t), 'd.sqlite3');
  await (await openTestDatastore(t, file))[Symbol.asyncDispose]();
  const thread = await SqliteThread.open({ uri: `file:${file}`, busyTimeoutMilliseconds: 50 });
  t.after(() => thread[Symbol.asyncDispose]());
  const db = new Kysely<Schema>({ dialect: sqliteDialect(thread, 'immediate') });
  const entries = createEntryStore({ db, dialect: sqlite, clock: Date, newId: () => 'new' });
  await sql`pragma max_page_count = 1`.execute(db); // no more than it has
  const large = newEntry({ id: 'large', hint: 'x'.repeat(100_000) });
  const full = {
    kind: 'unknown',
    message: 'datastore-sql: database or disk is full (free some space)',
  };
  await assert.rejects(entries.create(large), full);
  await assert.rejects(entries.create(large), full);
  assert.deepEqual(await entries.all(noneSkipped), []);
  await sql`pragma max_page_count = 1000000`.execute(db);
  const { row } = await entries.create(large);
  assert.deepEqual(await entries.all(noneSkipped), [row]);
});

test('closing finishes what was asked, and refuses what comes after', async (t) => {
  const { file, db, thread } = await start(t);
  const ask = (id: number) =>
    thread.run({
      sql: 'insert into notes (id) values (?)',
      parameters: [id],
      inTransaction: false,
    });
  const asked = [ask(1), ask(2)]; // not sent yet
  await thread[Symbol.asyncDispose]();
  for (const outcome of await Promise.all(asked)) assert.equal(outcome.kind, 'changed');
  const closed = { kind: 'unavailable', message: 'datastore-sql: the datastore is closed' };
  await assert.rejects(insert(db, 3), closed);
  await thread[Symbol.asyncDispose]();
  using own = new DatabaseSync(file, { readOnly: true });
  assert.deepEqual({ ...own.prepare('select count(*) as n from notes').get() }, { n: 2 });
});

/** Opens as the real one does, and fails at the first statement. */
const dyingThread = (end: string) => `
  import { parentPort } from 'node:worker_threads';
  parentPort.on('message', () => { ${end} });
  parentPort.postMessage({ kind: 'opened' });`;

const deaths: readonly [how: string, end: string, reason: string][] = [
  ['throws', "throw new Error('out of order')", 'out of order'],
  ['exits', 'process.exit(3)', 'exit code 3'],
];
for (const [how, end, reason] of deaths) {
  test(`a thread that ${how} fails all that wait, and all that come after`, async (t) => {
    const program = join(await temporaryFolder(t), 'dying.mjs');
    await writeFile(program, dyingThread(end));
    const opening = { uri: 'file::memory:', busyTimeoutMilliseconds: 0 };
    const thread = await SqliteThread.open(opening, pathToFileURL(program));
    const db = new Kysely<Notes>({ dialect: sqliteDialect(thread, 'immediate') });
    const lost = {
      kind: 'unavailable',
      message: `datastore-sql: the database thread has ended: ${reason}; restart the server`,
    };
    const waiting = [insert(db, 1), db.transaction().execute((tx) => insert(tx, 2)), insert(db, 3)];
    await Promise.all(waiting.map((outcome) => assert.rejects(outcome, lost)));
    await assert.rejects(thread.failed, lost);
    await assert.rejects(insert(db, 4), lost);
    await thread[Symbol.asyncDispose]();
  });
}

test('a thread that does not start is told so', async (t) => {
  const program = join(await temporaryFolder(t), 'broken.mjs');
  await writeFile(program, 'throw new Error("no room");');
  const opening = { uri: 'file::memory:', busyTimeoutMilliseconds: 0 };
  await assert.rejects(SqliteThread.open(opening, pathToFileURL(program)), {
    kind: 'internal',
    message: 'datastore-sql: the database thread does not start: no room',
  });
});
