/** The thread that holds the database: `node:sqlite` is synchronous, and waits here for locks and disks. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { DatabaseFiles } from './database-files.ts';
import type {
  Failure,
  Opened,
  Opening,
  Outcome,
  Request,
  SqlRow,
  Statement,
} from './sqlite-messages.ts';
import { COMMIT } from './sqlite-messages.ts';

/** Enough for every statement of the stores; a list of values has a text for each length. */
const MAX_PREPARED = 256;

const port = parentPort;
if (port === null) throw new Error('sqlite-worker runs as a thread only');
serve(port, workerData as Opening);

function serve(main: NonNullable<typeof parentPort>, opening: Opening): void {
  const database = open(opening);
  if (!(database instanceof DatabaseSync)) {
    main.postMessage(database, []);
    main.close();
    return;
  }
  const files = filesOf(database);
  const prepare = createPreparer(database);
  main.on('message', (request: Request) => {
    if (request === 'close') {
      database.close();
      main.close();
      return;
    }
    main.postMessage(
      request.map((statement) => run({ database, files, prepare }, statement)),
      [],
    );
  });
  main.postMessage({ kind: 'opened' } satisfies Opened, []);
}

function open({ uri, busyTimeoutMilliseconds }: Opening): DatabaseSync | Failure {
  try {
    return new DatabaseSync(uri, { timeout: busyTimeoutMilliseconds });
  } catch (error) {
    return failure(error);
  }
}

type Prepare = (sql: string) => { readonly statement: StatementSync; readonly reads: boolean };

/** A database in memory has none. */
function filesOf(database: DatabaseSync): DatabaseFiles | undefined {
  const path = database.location();
  return path === null ? undefined : new DatabaseFiles(path);
}

type Open = {
  readonly database: DatabaseSync;
  readonly files: DatabaseFiles | undefined;
  readonly prepare: Prepare;
};

function run({ database, files, prepare }: Open, statement: Statement): Outcome {
  if (statement.inTransaction && !database.isTransaction) return { kind: 'no-transaction' };
  // Before anything is read or begun, and before it is made durable.
  const looks = !statement.inTransaction || statement.sql === COMMIT;
  const problem = looks ? files?.problem() : undefined;
  if (problem !== undefined) return { kind: 'failed', message: problem, code: 'lost' };
  try {
    const prepared = prepare(statement.sql);
    const parameters = statement.parameters as SQLInputValue[];
    if (prepared.reads) return { kind: 'rows', rows: read(prepared.statement, parameters) };
    const { changes, lastInsertRowid } = prepared.statement.run(...parameters);
    if (looks) files?.note();
    return { kind: 'changed', changes, lastId: lastInsertRowid };
  } catch (error) {
    return failure(error);
  }
}

/** Integers are numbers; those that no number holds exactly are bigints. */
function read(statement: StatementSync, parameters: SQLInputValue[]) {
  try {
    return statement.all(...parameters);
  } catch (error) {
    // A statement that also writes has run: it must not run twice.
    const outOfRange = (error as { code?: unknown }).code === 'ERR_OUT_OF_RANGE';
    if (!outOfRange || !/^\s*select\b/i.test(statement.sourceSQL)) throw error;
    statement.setReadBigInts(true);
    try {
      return statement.all(...parameters).map(withNumbers);
    } finally {
      statement.setReadBigInts(false);
    }
  }
}

const withNumbers = (row: SqlRow): SqlRow =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const isSmall = typeof value === 'bigint' && Number.isSafeInteger(Number(value));
      return [column, isSmall ? Number(value) : value];
    }),
  );

function createPreparer(database: DatabaseSync): Prepare {
  const prepared = new Map<string, ReturnType<Prepare>>();
  return (sql) => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    const made = { statement, reads: statement.columns().length > 0 };
    const [oldest] = prepared.keys();
    if (prepared.size >= MAX_PREPARED && oldest !== undefined) prepared.delete(oldest);
    prepared.set(sql, made);
    return made;
  };
}

function failure(error: unknown): Failure {
  const { message, errcode } = error as { message: string; errcode?: unknown };
  return { kind: 'failed', message, code: typeof errcode === 'number' ? errcode : undefined };
}
