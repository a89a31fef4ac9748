import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';

async function openLogged(t: Parameters<typeof openTestDatastore>[0]) {
  const lines: LogLine[] = [];
  const log = recordingLog(lines, {}, 'debug');
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const datastore = await openTestDatastore(t, file, { log, logSql: true });
  const statements = () =>
    lines.filter(({ fields }) => fields['subsystem_name'] === 'gorm' && 'elapsed_ms' in fields);
  return { datastore, statements };
}

test('log_sql tells statements with their values, their time and their rows', async (t) => {
  const { datastore, statements } = await openLogged(t);
  const additionalAttributes = { disableX509SvidPrefetch: true, jwtSvidIncludeJti: false };
  await datastore.entries.create(newEntry({ id: 'one', dnsNames: ['n'], additionalAttributes }));
  const inserted = statements().find(({ message }) =>
    message.startsWith('insert into "registered_entries" '),
  );
  assert.ok(inserted);
  const { values, rows, elapsed_ms } = inserted.fields;
  assert.ok(typeof values === 'string' && typeof elapsed_ms === 'string');
  assert.match(values, /'spiffe:\/\/test\/workload'.*'one'/);
  assert.match(values, /<binary>/);
  assert.match(elapsed_ms, /^\d+\.\d\d$/);
  assert.equal(rows, 1);
  const made = statements().find(({ message }) => message.startsWith('CREATE TABLE "bundles"'));
  assert.equal(made?.fields['values'], undefined);

  await datastore.entries.all(noneSkipped);
  const page = statements().findLast(({ message }) =>
    message.includes('from "registered_entries"'),
  );
  assert.equal(page?.fields['rows'], 0); // behind the last row
});

test('log_sql tells no join token and no blob, and what failed', async (t) => {
  const { datastore, statements } = await openLogged(t);
  await datastore.joinTokens.create({ token: 'hush-hush', expiresAt: 1 });
  await assert.rejects(datastore.joinTokens.create({ token: 'hush-hush', expiresAt: 1 }));
  await datastore.joinTokens.spend('hush-hush');
  await datastore.caJournals.save({
    id: 0,
    data: Buffer.from('hush-hush'),
    activeX509AuthorityId: 'a'.repeat(300),
  });
  const told = JSON.stringify(statements());
  assert.doesNotMatch(told, /hush/);
  const failed = statements().find(({ fields }) => 'error' in fields);
  assert.equal(failed?.fields['error'], 'UNIQUE constraint failed: join_tokens.token');
  assert.equal(failed.fields['values'], '<secret>');
  assert.match(told, /'a{200}…'/);
});

test('without log_sql nothing of it is told', async (t) => {
  const lines: LogLine[] = [];
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const log = recordingLog(lines, {}, 'debug');
  const datastore = await openTestDatastore(t, file, { log });
  await datastore.entries.create(newEntry());
  assert.ok(lines.every(({ fields }) => !('elapsed_ms' in fields)));
});
