import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSqliteDsn } from './sqlite-dsn.ts';

const uris: readonly [connectionString: string, uri: string][] = [
  ['data.sqlite3', 'file:data.sqlite3?_foreign_keys=ON&_journal_mode=WAL'],
  ['./data.sqlite3', 'file:./data.sqlite3?_foreign_keys=ON&_journal_mode=WAL'],
  ['/run/a b.sqlite3', 'file:/run/a b.sqlite3?_foreign_keys=ON&_journal_mode=WAL'],
  ['/run/a%20b.sqlite3', 'file:/run/a b.sqlite3?_foreign_keys=ON&_journal_mode=WAL'],
  ['file:/run/d?mode=rw', 'file:/run/d?_foreign_keys=ON&_journal_mode=WAL&mode=rw'],
  ['file:///run/d', 'file:///run/d?_foreign_keys=ON&_journal_mode=WAL'],
  ['/run/d?_foreign_keys=OFF#x', 'file:/run/d?_foreign_keys=ON&_journal_mode=WAL'],
  ['file::memory:?cache=shared', 'file::memory:?_foreign_keys=ON&_journal_mode=WAL&cache=shared'],
];
for (const [connectionString, uri] of uris) {
  test(`${connectionString} is ${uri}`, () =>
    assert.equal(parseSqliteDsn(connectionString).uri, uri));
}

test('without parameters it is in WAL mode, survives a power cut, and waits for 5 s', () => {
  const dsn = parseSqliteDsn('d');
  assert.deepEqual(dsn.pragmas, [
    'pragma foreign_keys = 1',
    'pragma journal_mode = WAL',
    'pragma synchronous = FULL',
  ]);
  assert.equal(dsn.busyTimeoutMilliseconds, 5000);
  assert.equal(dsn.transactionLock, 'immediate');
});

const settings: readonly [query: string, pragma: string][] = [
  ['_synchronous=NORMAL', 'pragma synchronous = NORMAL'],
  ['_sync=2', 'pragma synchronous = FULL'],
  ['_synchronous=OFF&_sync=extra', 'pragma synchronous = EXTRA'],
  ['_vacuum=incremental', 'pragma auto_vacuum = 2'],
  ['_cslike=yes', 'pragma case_sensitive_like = 1'],
  ['_defer_fk=on', 'pragma defer_foreign_keys = 1'],
  ['_fk=off', 'pragma foreign_keys = 0'],
  ['_ignore_check_constraints=true', 'pragma ignore_check_constraints = 1'],
  ['_journal=DELETE', 'pragma journal_mode = DELETE'],
  ['_locking=exclusive', 'pragma locking_mode = EXCLUSIVE'],
  ['_query_only=1', 'pragma query_only = 1'],
  ['_rt=no', 'pragma recursive_triggers = 0'],
  ['_secure_delete=fast', 'pragma secure_delete = FAST'],
  ['_writable_schema=0', 'pragma writable_schema = 0'],
  ['_cache_size=-4000', 'pragma cache_size = -4000'],
];
for (const [query, pragma] of settings) {
  test(`${query} sets ${pragma}`, () => {
    const { pragmas } = parseSqliteDsn(`file:d?${query}`);
    assert.ok(pragmas.includes(pragma), pragmas.join('; '));
  });
}

test('the busy time-out and the lock are ours to keep', () => {
  assert.equal(parseSqliteDsn('d?_timeout=70').busyTimeoutMilliseconds, 70);
  assert.equal(parseSqliteDsn('d?_txlock=exclusive').transactionLock, 'exclusive');
});

const refusals: readonly [connectionString: string, message: string][] = [
  ['postgres://x/y', 'datastore-sql: datastore-sql: unsupported scheme "postgres"'],
  [
    ':memory:',
    'datastore-sql: parse ":memory:": missing protocol scheme; use file:<path> or a path',
  ],
  ['a%zz', 'datastore-sql: parse "a%zz": invalid URL escape; use file:<path> or a path'],
  ['d?_timeout=soon', 'datastore-sql: Invalid _timeout: "soon", expecting a whole number'],
  [
    'd?_journal=big',
    'datastore-sql: Invalid _journal: "big", expecting one of DELETE, TRUNCATE, PERSIST, MEMORY, WAL, OFF',
  ],
  [
    'd?_txlock=none',
    'datastore-sql: Invalid _txlock: "none", expecting one of DEFERRED, IMMEDIATE, EXCLUSIVE',
  ],
  [
    'd?_query_only=maybe',
    'datastore-sql: Invalid _query_only: "maybe", expecting one of 0, 1, NO, FALSE, OFF, YES, TRUE, ON',
  ],
];
for (const [connectionString, message] of refusals) {
  test(`refuses ${connectionString}`, () => {
    assert.throws(() => parseSqliteDsn(connectionString), { kind: 'invalid', message });
  });
}
