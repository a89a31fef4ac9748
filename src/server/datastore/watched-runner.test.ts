import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  newEntry,
  noneSkipped,
  openTestDatastore,
  temporaryFolder,
} from '../../../test/kit/datastore.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';

for (const end of ['', '-wal']) {
  test(`without its file${end} a database is neither read nor written, and is told once`, async (t) => {
    const file = join(await temporaryFolder(t), 'datastore.sqlite3');
    const lines: LogLine[] = [];
    const datastore = await openTestDatastore(t, file, { log: recordingLog(lines) });
    const { row } = await datastore.entries.create(newEntry());
    lines.length = 0;
    await rename(`${file}${end}`, `${file}.away`);
    const expected = {
      kind: 'unknown',
      message: `datastore-sql: ${file}${end} was removed or replaced (nothing was written; put it back, or restart the server on a backup)`,
    };
    await assert.rejects(datastore.entries.create(newEntry({ spiffeId: '/other' })), expected);
    await assert.rejects(datastore.joinTokens.create({ token: 'x', expiresAt: 1 }), expected);
    await assert.rejects(datastore.entries.all(noneSkipped), expected);
    await assert.rejects(datastore.pruneEvents(1), expected);
    assert.deepEqual(lines, [
      {
        message: 'The database is lost: SVIDs are issued from memory, and nothing is changed',
        fields: { error: expected.message },
      },
    ]);
    await rename(`${file}.away`, `${file}${end}`);
    assert.deepEqual(await datastore.entries.all(noneSkipped), [row]);
    assert.equal(await datastore.joinTokens.spend('x'), undefined);
    assert.deepEqual(lines.slice(1), [{ message: 'The database is there again', fields: {} }]);
  });
}

test('a transaction whose file goes away before its end changes nothing', async (t) => {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const datastore = await openTestDatastore(t, file);
  const { row } = await datastore.entries.create(newEntry());
  const creating = datastore.entries.create(newEntry({ spiffeId: '/other' }));
  const moving = rename(file, `${file}.away`);
  const [outcome] = await Promise.allSettled([creating, moving]);
  await rename(`${file}.away`, file);
  const stored = await datastore.entries.all(noneSkipped);
  assert.equal(stored.length, outcome.status === 'fulfilled' ? 2 : 1);
  assert.deepEqual(stored[0], row);
});

test('a database in memory has no file that could go away', async (t) => {
  const datastore = await openTestDatastore(t, 'file::memory:');
  const { row } = await datastore.entries.create(newEntry());
  assert.deepEqual(await datastore.entries.all(noneSkipped), [row]);
});
