import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';

const fixture = join(
  import.meta.dirname,
  '../../../test/data/fixtures/server/data/datastore.sqlite3',
);

/** What there is in a database, without its side files. */
function query(file: string, sql: string): Record<string, unknown>[] {
  using database = new DatabaseSync(file);
  return database.prepare(sql).all();
}

function change(file: string, sql: string): void {
  using database = new DatabaseSync(file);
  database.exec(sql);
}

async function copyOfFixture(folder: string): Promise<string> {
  const file = join(folder, 'datastore.sqlite3');
  await copyFile(fixture, file);
  await chmod(file, 0o600);
  return file;
}

const SCHEMA = 'select type, name, tbl_name, sql from sqlite_master order by rowid';

test("a new database has SPIRE's tables, column for column", async (t) => {
  const file = join(await temporaryFolder(t), 'new.sqlite3');
  await (await openTestDatastore(t, file))[Symbol.asyncDispose]();
  assert.deepEqual(query(file, SCHEMA), query(fixture, SCHEMA));
  assert.deepEqual(
    query(
      file,
      'select id, version, code_version, created_at = updated_at as same from migrations',
    ).map((row) => ({
      ...row,
    })),
    [{ id: 1, version: 25, code_version: '1.16.0', same: 1 }],
  );
  assert.deepEqual(
    query(file, 'pragma journal_mode').map((row) => ({ ...row })),
    [{ journal_mode: 'wal' }],
  );
});

test('closing leaves one file, and what was written is there when it is opened again', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'new.sqlite3');
  const first = await openTestDatastore(t, file);
  const { row } = await first.entries.create(newEntry());
  await first[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(folder), ['new.sqlite3']);
  const second = await openTestDatastore(t, `file:${file}`);
  assert.deepEqual(await second.entries.all(noneSkipped), [row]);
});

const raised: readonly [stored: string, then: string][] = [
  ['1.16.0-dev-unk', '1.16.0'],
  ['1.15.2', '1.16.0'],
  ['1.16.0', '1.16.0'],
  ['1.16.1', '1.16.1'],
  ['1.17.0', '1.17.0'],
  ['3.0.0', '3.0.0'],
  ['', '1.16.0'],
];
for (const [stored, then] of raised) {
  test(`a database of the same schema and release ${stored} is ${then} afterwards`, async (t) => {
    const file = await copyOfFixture(await temporaryFolder(t));
    change(file, `update migrations set code_version = '${stored}'`);
    const datastore = await openTestDatastore(t, file);
    assert.equal((await datastore.entries.all(noneSkipped)).length, 6);
    await datastore[Symbol.asyncDispose]();
    const [migration] = query(file, 'select version, code_version from migrations');
    assert.deepEqual({ ...migration }, { version: 25, code_version: then });
  });
}

test('a newer schema of a neighbouring release is used with a warning', async (t) => {
  const file = await copyOfFixture(await temporaryFolder(t));
  change(
    file,
    "update migrations set version = 26, code_version = '1.17.0'; alter table selectors add column more text",
  );
  const lines: LogLine[] = [];
  const datastore = await openTestDatastore(t, file, { log: recordingLog(lines) });
  assert.deepEqual(lines[1], {
    message: 'DB schema is ahead of code version, upgrading SPIRE Server is recommended',
    fields: { schema: '26', version_info: '1.17.0' },
  });
  assert.equal((await datastore.entries.all(noneSkipped)).length, 6);
  await datastore[Symbol.asyncDispose]();
  assert.equal(query(file, 'select code_version from migrations')[0]?.['code_version'], '1.17.0');
});

const notOurs = /^datastore-sql: this is not the database of a SPIFFE server: /;
const refused: readonly [what: string, sql: string, kind: string, message: RegExp][] = [
  [
    'of a newer schema and another major release',
    "update migrations set version = 26, code_version = '2.16.0'",
    'failed-precondition',
    /^datastore-sql: incompatible DB schema and code version: .* version 26 of release 2\.16\.0.*restore a backup/,
  ],
  [
    'two minor releases ahead',
    "update migrations set version = 27, code_version = '1.18.0'",
    'failed-precondition',
    /^datastore-sql: incompatible DB schema and code version: /,
  ],
  [
    'of a newer schema and no readable release',
    "update migrations set version = 26, code_version = ''",
    'failed-precondition',
    /^datastore-sql: incompatible DB schema and code version: .*release 0\.0\.0,/,
  ],
  [
    'of a release that is none',
    "update migrations set code_version = 'unreadable'",
    'failed-precondition',
    /^datastore-sql: error getting DB code version: unable to parse code version from DB: "unreadable"/,
  ],
  [
    'of schema version 22',
    'update migrations set version = 22',
    'failed-precondition',
    /^datastore-sql: migrating from schema version 22 requires a previous SPIRE release; please follow the upgrade strategy at doc\/upgrading\.md$/,
  ],
  [
    'that lacks a table',
    'drop table dns_names',
    'failed-precondition',
    /^datastore-sql: this is not .*: it calls itself schema version 25, but lacks dns_names;/,
  ],
  [
    'that lacks a column',
    'alter table registered_entries drop column additional_attributes',
    'failed-precondition',
    /but lacks registered_entries\.additional_attributes;/,
  ],
  [
    'of schema version 24 that lacks a table',
    'update migrations set version = 24; drop table dns_names',
    'failed-precondition',
    /it calls itself schema version 24, but lacks dns_names;/,
  ],
  ['without a version', 'delete from migrations', 'failed-precondition', notOurs],
  [
    'without a table for its version',
    'drop table migrations',
    'failed-precondition',
    /: it has tables \(\w+, \w+, \w+, \w+, \w+ and 7 more\), but none that says its version;/,
  ],
];
for (const [what, sql, kind, message] of refused) {
  for (const journal of ['wal', 'delete']) {
    test(`a database ${what} (${journal}) is refused and left as it is`, async (t) => {
      const folder = await temporaryFolder(t);
      const file = await copyOfFixture(folder);
      change(file, `pragma journal_mode = ${journal}; ${sql}`);
      const before = await readFile(file);
      await assert.rejects(openTestDatastore(t, file), { kind, message });
      assert.ok(before.equals(await readFile(file)));
      assert.deepEqual(await readdir(folder), ['datastore.sqlite3']);
    });
  }
}

test("another program's database is refused and left as it is", async (t) => {
  const file = join(await temporaryFolder(t), 'other.sqlite3');
  change(file, 'create table migrations (id integer, name text); create table users (id integer)');
  const before = await readFile(file);
  await assert.rejects(openTestDatastore(t, file), {
    kind: 'failed-precondition',
    message: notOurs,
  });
  assert.ok(before.equals(await readFile(file)));
});

test('a file that is no database is refused and left as it is', async (t) => {
  const file = join(await temporaryFolder(t), 'notes.txt');
  await writeFile(file, 'not a database, but long enough to be asked for its header\n'.repeat(100));
  const before = await readFile(file);
  await assert.rejects(openTestDatastore(t, file), {
    kind: 'unknown',
    message:
      'datastore-sql: file is not a database (it is left as it is; set connection_string to another path)',
  });
  assert.ok(before.equals(await readFile(file)));
});

test('a file whose folder is not there, or that is a folder, cannot be opened', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'folder'));
  for (const path of ['missing/datastore.sqlite3', 'folder']) {
    await assert.rejects(openTestDatastore(t, join(folder, path)), {
      kind: 'unknown',
      message: /^datastore-sql: unable to open database file \(its folder must exist, /,
    });
  }
});

test('mode=rw makes no database, mode=ro writes none', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(openTestDatastore(t, `file:${join(folder, 'none')}?mode=rw`), {
    message: /^datastore-sql: unable to open database file/,
  });
  assert.deepEqual(await readdir(folder), []);
  const file = await copyOfFixture(folder);
  change(file, "update migrations set code_version = '1.16.0'");
  const datastore = await openTestDatastore(t, `file:${file}?mode=ro`);
  assert.equal((await datastore.entries.all(noneSkipped)).length, 6);
  await assert.rejects(datastore.entries.delete('web'), {
    kind: 'unknown',
    message: /^datastore-sql: attempt to write a readonly database \(/,
  });
});
