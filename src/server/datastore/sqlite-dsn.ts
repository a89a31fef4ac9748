import { Fault } from '../../base/fault.ts';
import type { TransactionLock } from './sqlite-driver.ts';

export type SqliteDsn = {
  /** The `file:` URI for SQLite itself. */
  readonly uri: string;
  /** What to run on the opened database, in this order. */
  readonly pragmas: readonly string[];
  readonly busyTimeoutMilliseconds: number;
  readonly transactionLock: TransactionLock;
};

/**
 * Reads a `connection_string` as SPIRE's SQLite driver does (`reference/server.md` §3.1): a path or a `file:` URI,
 * whose query holds SQLite's own parameters (`mode`, `cache`…) and the driver's, which start with `_`. Foreign keys and
 * WAL are always asked for. `_synchronous` is FULL unless set, where SPIRE has NORMAL: a ban or a spent token that was
 * acknowledged must survive a power cut too, and it costs 0.2 ms a write. Throws 'invalid'.
 */
export function parseSqliteDsn(connectionString: string): SqliteDsn {
  const { name, query } = split(connectionString);
  query.set('_foreign_keys', 'ON');
  query.set('_journal_mode', 'WAL');
  query.sort();
  const settings = new Map(options.map((option) => [option.names[0], optionValue(option, query)]));
  return {
    uri: `file:${name}?${query.toString()}`,
    pragmas: options.flatMap(({ names, pragma }) => {
      const value = settings.get(names[0]);
      return pragma === undefined || value === undefined ? [] : [`pragma ${pragma} = ${value}`];
    }),
    busyTimeoutMilliseconds: Number(settings.get('_busy_timeout')),
    transactionLock: settings.get('_txlock') as TransactionLock,
  };
}

function split(text: string): { name: string; query: URLSearchParams } {
  const [beforeFragment = ''] = text.split('#', 1);
  const mark = beforeFragment.indexOf('?');
  const name = mark === -1 ? beforeFragment : beforeFragment.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : beforeFragment.slice(mark + 1));
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(name)?.[1];
  if (scheme === undefined) return { name: decoded(name, text), query };
  if (scheme.toLowerCase() === 'file') return { name: name.slice('file:'.length), query };
  throw new Fault('invalid', `datastore-sql: datastore-sql: unsupported scheme "${scheme}"`);
}

/** A bare path is read as a URL's, escapes and all, before it becomes the URI's. */
function decoded(path: string, text: string): string {
  if (path.startsWith(':')) throw malformed(text, 'missing protocol scheme');
  try {
    return decodeURIComponent(path);
  } catch {
    throw malformed(text, 'invalid URL escape');
  }
}

const malformed = (text: string, why: string): Fault =>
  new Fault('invalid', `datastore-sql: parse "${text}": ${why}; use file:<path> or a path`);

type Option = {
  /** Of two spellings the second wins. */
  readonly names: readonly [string, ...string[]];
  /** Undefined: not a setting of the database, but of ours. */
  readonly pragma?: string;
  /** The pragma's value, or undefined for one that is not allowed. */
  readonly read: (text: string) => string | undefined;
  readonly expects: string;
  readonly preset?: string;
};

const oneOf = (words: Readonly<Record<string, string>>) => ({
  read: (text: string) => words[text.toUpperCase()],
  expects: `one of ${Object.keys(words).join(', ')}`,
});
const integer = {
  read: (text: string) => (/^[+-]?[0-9]{1,9}$/.test(text) ? text : undefined),
  expects: 'a whole number',
};
const OFF = { '0': '0', NO: '0', FALSE: '0', OFF: '0' };
const ON = { '1': '1', YES: '1', TRUE: '1', ON: '1' };
const boolean = oneOf({ ...OFF, ...ON });
const same = (...words: string[]) => oneOf(Object.fromEntries(words.map((word) => [word, word])));

/** `auto_vacuum` counts only before the first table and before WAL, so it comes first. */
const options: readonly Option[] = [
  {
    names: ['_auto_vacuum', '_vacuum'],
    pragma: 'auto_vacuum',
    ...oneOf({ '0': '0', NONE: '0', '1': '1', FULL: '1', '2': '2', INCREMENTAL: '2' }),
  },
  { names: ['_busy_timeout', '_timeout'], ...integer, preset: '5000' },
  { names: ['_case_sensitive_like', '_cslike'], pragma: 'case_sensitive_like', ...boolean },
  { names: ['_defer_foreign_keys', '_defer_fk'], pragma: 'defer_foreign_keys', ...boolean },
  { names: ['_foreign_keys', '_fk'], pragma: 'foreign_keys', ...boolean },
  { names: ['_ignore_check_constraints'], pragma: 'ignore_check_constraints', ...boolean },
  {
    names: ['_journal_mode', '_journal'],
    pragma: 'journal_mode',
    ...same('DELETE', 'TRUNCATE', 'PERSIST', 'MEMORY', 'WAL', 'OFF'),
  },
  {
    names: ['_locking_mode', '_locking'],
    pragma: 'locking_mode',
    ...same('NORMAL', 'EXCLUSIVE'),
  },
  { names: ['_query_only'], pragma: 'query_only', ...boolean },
  { names: ['_recursive_triggers', '_rt'], pragma: 'recursive_triggers', ...boolean },
  {
    names: ['_secure_delete'],
    pragma: 'secure_delete',
    ...oneOf({ ...OFF, ...ON, FAST: 'FAST' }),
  },
  {
    names: ['_synchronous', '_sync'],
    pragma: 'synchronous',
    ...oneOf({
      '0': 'OFF',
      OFF: 'OFF',
      '1': 'NORMAL',
      NORMAL: 'NORMAL',
      '2': 'FULL',
      FULL: 'FULL',
      '3': 'EXTRA',
      EXTRA: 'EXTRA',
    }),
    preset: 'FULL',
  },
  { names: ['_writable_schema'], pragma: 'writable_schema', ...boolean },
  { names: ['_cache_size'], pragma: 'cache_size', ...integer },
  {
    names: ['_txlock'],
    ...oneOf({ DEFERRED: 'deferred', IMMEDIATE: 'immediate', EXCLUSIVE: 'exclusive' }),
    preset: 'immediate',
  },
];

function optionValue({ names, read, expects, preset }: Option, query: URLSearchParams) {
  const name = names.findLast((spelling) => query.get(spelling));
  if (name === undefined) return preset;
  const text = query.get(name) ?? '';
  const value = read(text);
  if (value !== undefined) return value;
  throw new Fault('invalid', `datastore-sql: Invalid ${name}: "${text}", expecting ${expects}`);
}
