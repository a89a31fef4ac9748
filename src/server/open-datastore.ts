import type { Clock } from '../base/clock.ts';
import { Fault, wrapFault } from '../base/fault.ts';
import { readFileBounded } from '../base/files.ts';
import type { Log } from '../ops/log.ts';
import { SPIRE_VERSION } from '../ops/version.ts';
import { readDatastoreFile } from './config/datastore.ts';
import type { DatastoreSettings } from './config/server-config.ts';
import type { Datastore } from './datastore/contract.ts';
import { openSqliteDatastore } from './datastore/open-sqlite.ts';

export type OpenDatastoreEnv = { readonly log: Log; readonly clock: Pick<Clock, 'now'> };

/** Opens what is configured; `opened` closes it. Throws with SPIRE's words where its settings are wrong. */
export async function openDatastore(
  configured: DatastoreSettings | undefined,
  { log, clock }: OpenDatastoreEnv,
  opened: AsyncDisposableStack,
): Promise<Datastore> {
  const catalogLog = log.child({ subsystem_name: 'catalog' });
  if (configured?.inFile !== undefined) {
    catalogLog.warn('DataStore is not reconfigurable even with a dynamic data source');
  }
  const settings = await checkedSettings(configured);
  opened.defer(() => {
    catalogLog.info('DataStore closed');
  });
  const sqlLog = log.child({ subsystem_name: 'sql' });
  const datastore = opened.use(
    await openSqliteDatastore({
      ...settings,
      codeVersion: SPIRE_VERSION,
      log: sqlLog,
      clock,
    }),
  );
  opened.defer(() => {
    catalogLog.debug('Closing DataStore');
  });
  tellUnused(settings, sqlLog);
  catalogLog.info('Configured DataStore', { reconfigurable: false });
  return datastore;
}

async function checkedSettings(
  configured: DatastoreSettings | undefined,
): Promise<DatastoreSettings> {
  if (configured === undefined) throw new Fault('invalid', 'expecting a DataStore plugin');
  const settings = await readDatastoreFile(configured, readFileBounded).catch((error: unknown) => {
    throw wrapFault('failed to load plugin data', error);
  });
  const [wrong] = [...settings.complaints, settings.refusal].filter((text) => text !== undefined);
  if (wrong !== undefined) throw new Fault('invalid', wrong);
  if (settings.databaseType !== 'sqlite3') {
    throw new Fault(
      'unimplemented',
      'datastore-sql: this version knows database_type sqlite3 only',
    );
  }
  return settings;
}

/** What is set for databases on another machine. */
function tellUnused(
  { readOnlyConnectionString, withoutEffect }: DatastoreSettings,
  log: Log,
): void {
  if (readOnlyConnectionString !== '') {
    log.warn(
      'Read-only connection is not applicable for sqlite3. Falling back to primary connection',
    );
  }
  if (withoutEffect.length > 0) {
    log.info('Settings without effect: sqlite3 has one connection, which stays open', {
      settings: withoutEffect.join(','),
    });
  }
}
