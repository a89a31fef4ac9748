import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import {
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { makeOldDatabase, schemaOf } from '../../../test/kit/old-database.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';

const BOTH = ['agent_version', 'additional_attributes'];

/** The tables as SPIRE 1.16 leaves them when it migrates: SQLite puts what is added after a blank. */
const MIGRATED = [
  /"can_reattest" bool, "agent_version" varchar\(255\)\)$/,
  /"jwt_svid_ttl" integer, "additional_attributes" blob\)$/,
];

const migrated: readonly [version: number, release: string, steps: string[]][] = [
  [23, '1.8.0', ['23', '24']],
  [23, '1.15.2', ['23', '24']],
  [23, '', ['23', '24']],
  [23, '2.0.0', ['23', '24']], // as SPIRE: how far away the release is does not count here
  [24, '1.16.0-dev-unk', ['24']],
];
for (const [version, release, steps] of migrated) {
  test(`a database of version ${version} and release "${release}" is migrated`, async (t) => {
    const file = join(await temporaryFolder(t), 'old.sqlite3');
    makeOldDatabase(file, version, release);
    const lines: LogLine[] = [];
    const datastore = await openTestDatastore(t, file, { log: recordingLog(lines) });
    const fields = { schema: String(version), version_info: release || '0.0.0' };
    assert.deepEqual(
      lines.filter(({ fields: { schema } }) => schema !== undefined),
      [
        { message: 'Running migrations...', fields },
        ...steps.map((step) => ({
          message: 'Migrating version',
          fields: { ...fields, version_info: step },
        })),
        { message: 'Done running migrations', fields },
      ],
    );
    const entries = await datastore.entries.all(noneSkipped);
    assert.equal(entries.length, 6);
    assert.ok(entries.every(({ value }) => value.additionalAttributes === undefined));
    const additionalAttributes = { disableX509SvidPrefetch: true, jwtSvidIncludeJti: false };
    await datastore.entries.create(newEntry({ id: 'new', additionalAttributes }));
    await datastore[Symbol.asyncDispose]();
    assert.deepEqual(schemaOf(file), { migrated: '25 1.16.0', columns: BOTH });
    if (version === 23) {
      using database = new DatabaseSync(file);
      const tables = database
        .prepare(
          "select sql from sqlite_master where name in ('attested_node_entries', 'registered_entries') order by name",
        )
        .all();
      for (const [index, { sql }] of tables.entries()) assert.match(String(sql), MIGRATED[index]!);
    }

    const again: LogLine[] = [];
    const reopened = await openTestDatastore(t, file, { log: recordingLog(again) });
    assert.ok(again.every(({ fields: { schema } }) => schema === undefined));
    const [created] = await reopened.entries.byIds(['new'], noneSkipped);
    assert.deepEqual(created?.value.additionalAttributes, additionalAttributes);
  });
}

const unmigrated: readonly [version: number, release: string, message: RegExp][] = [
  [
    23,
    '1.14.9',
    /^datastore-sql: auto-migration must be enabled for current DB: it has schema version 23 of release 1\.14\.9;/,
  ],
  [24, '2.16.0', /^datastore-sql: auto-migration must be enabled for current DB: /],
  [26, '1.18.0', /^datastore-sql: auto-migration must be enabled for current DB: /],
  [
    23,
    '1.15.0',
    /^datastore-sql: no such column: attested_node_entries\.agent_version, registered_entries\.additional_attributes: the database has schema version 23; take disable_migration out/,
  ],
  [24, '1.16.0', /^datastore-sql: no such column: registered_entries\.additional_attributes: /],
];
for (const [version, release, message] of unmigrated) {
  test(`with disable_migration, version ${version} of ${release} is refused and left as it is`, async (t) => {
    const file = join(await temporaryFolder(t), 'old.sqlite3');
    makeOldDatabase(file, version, release);
    const before = await readFile(file);
    await assert.rejects(openTestDatastore(t, file, { disableMigration: true }), {
      kind: 'failed-precondition',
      message,
    });
    assert.ok(before.equals(await readFile(file)));
  });
}

const asTheyAre: readonly [version: number, release: string, then: string][] = [
  [25, '1.15.0', '25 1.16.0'],
  [26, '1.17.0', '26 1.17.0'],
];
for (const [version, release, then] of asTheyAre) {
  test(`with disable_migration, version ${version} of ${release} is used as it is`, async (t) => {
    const file = join(await temporaryFolder(t), 'old.sqlite3');
    makeOldDatabase(file, version, release);
    const lines: LogLine[] = [];
    const options = { disableMigration: true, log: recordingLog(lines) };
    const datastore = await openTestDatastore(t, file, options);
    assert.equal((await datastore.entries.all(noneSkipped)).length, 6);
    await datastore[Symbol.asyncDispose]();
    assert.equal(schemaOf(file).migrated, then);
    assert.ok(lines.every(({ fields: { schema } }) => schema === undefined));
  });
}

test('a new database is made with disable_migration too', async (t) => {
  const file = join(await temporaryFolder(t), 'new.sqlite3');
  const datastore = await openTestDatastore(t, file, { disableMigration: true });
  assert.deepEqual(await datastore.entries.all(noneSkipped), []);
  await datastore[Symbol.asyncDispose]();
  assert.equal(schemaOf(file).migrated, '25 1.16.0');
});

test('two servers that come to an old database at once migrate it once', async (t) => {
  const file = join(await temporaryFolder(t), 'old.sqlite3');
  makeOldDatabase(file, 23, '1.15.0');
  const both = await Promise.all([openTestDatastore(t, file), openTestDatastore(t, file)]);
  for (const datastore of both) {
    assert.equal((await datastore.entries.all(noneSkipped)).length, 6);
    await datastore[Symbol.asyncDispose]();
  }
  assert.deepEqual(schemaOf(file), { migrated: '25 1.16.0', columns: BOTH });
});
