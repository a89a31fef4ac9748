import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../kit/datastore.ts';
import { playHistory, TRUST_DOMAIN } from '../kit/hand-over/history.ts';
import { handOverFixture, readInputs } from '../kit/hand-over/inputs.ts';
import { HandOverServer } from '../kit/hand-over/server-process.ts';
import { readTables } from '../kit/hand-over/tables.ts';
import { spireServer } from '../kit/programs.ts';

test('a server of ours is left with the same rows by the same history', async (t) => {
  const inputs = await readInputs();
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'data'), { mode: 0o700 });
  {
    await using server = await HandOverServer.start(spireServer, folder, {
      ...inputs,
      trustDomain: TRUST_DOMAIN,
    });
    using local = server.local();
    await playHistory({ inputs, local, network: (identity) => server.network(identity) });
  }
  const [own, recorded] = [
    readTables(join(folder, 'data/datastore.sqlite3')),
    readTables(join(handOverFixture, 'datastore.sqlite3')),
  ];
  for (const [table, rows] of Object.entries(recorded)) assert.deepEqual(own[table], rows, table);
});
