import { join } from 'node:path';
import { openTestDatastore, temporaryFolder } from '../../../test/kit/datastore.ts';
import { datastoreSuite } from './contract.suite.ts';

datastoreSuite(
  'SQLite',
  async (t) => openTestDatastore(t, join(await temporaryFolder(t), 'datastore.sqlite3')),
  (...columns) => `datastore-sql: UNIQUE constraint failed: ${columns.join(', ')}`,
);
