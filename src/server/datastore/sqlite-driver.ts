import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type TransactionSettings,
} from 'kysely';
import { Fault } from '../../base/fault.ts';
import { isBatched } from './batch.ts';
import { sqliteFault } from './sqlite-fault.ts';
import { COMMIT, type Outcome, type SqlValue, type Statement } from './sqlite-messages.ts';

/** How a transaction that writes begins; one that only reads never takes a lock. */
export type TransactionLock = 'deferred' | 'immediate' | 'exclusive';

export type StatementRunner = { run(statement: Statement): Promise<Outcome> };

/** Kysely on one SQLite connection that lives elsewhere. Transactions take turns; single statements run between them. */
export function sqliteDialect(runner: StatementRunner, lock: TransactionLock): Dialect {
  return {
    createAdapter: () => new TurnTakingAdapter(),
    createDriver: () => new TurnTakingDriver(runner, lock),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Turns are the driver's business: it need not hold single statements back one by one. */
class TurnTakingAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class TurnTakingDriver implements Driver {
  readonly #runner: StatementRunner;
  readonly #lock: TransactionLock;
  readonly #turns = new Turns();

  constructor(runner: StatementRunner, lock: TransactionLock) {
    this.#runner = runner;
    this.#lock = lock;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    return new Connection(this.#runner, this.#turns);
  }

  async beginTransaction(connection: Connection, { accessMode }: TransactionSettings) {
    await connection.begin(accessMode === 'read only' ? 'deferred' : this.#lock);
  }

  async commitTransaction(connection: Connection) {
    await connection.commit();
  }

  async rollbackTransaction(connection: Connection) {
    await connection.rollback();
  }

  async releaseConnection(connection: Connection) {
    connection.release();
  }

  /** The runner belongs to whoever gave it. */
  async destroy(): Promise<void> {}
}

class Connection implements DatabaseConnection {
  readonly #runner: StatementRunner;
  readonly #turns: Turns;
  #endTurn: (() => void) | undefined;
  /** The answer to BEGIN, which is sent together with the transaction's first statements. */
  #begun: Promise<Outcome> | undefined;

  constructor(runner: StatementRunner, turns: Turns) {
    this.#runner = runner;
    this.#turns = turns;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#begun === undefined) {
      if (this.#turns.taken) (await this.#turns.take())();
      return toResult<R>(success(await this.#runner.run(statement(query, false))));
    }
    const queries = isBatched(query) ? query.batch : [query];
    const answers = queries.map((one) => this.#runner.run(statement(one, true)));
    const [begun, ...outcomes] = await Promise.all([this.#begun, ...answers]);
    success(begun);
    const results = outcomes.map((outcome) => toResult<R>(success(outcome)));
    if (isBatched(query)) return { rows: results.map(({ rows }) => rows) as R[] };
    return results[0] ?? { rows: [] };
  }

  streamQuery(): AsyncIterableIterator<never> {
    throw new Fault('unimplemented', 'datastore-sql: the SQLite thread does not stream');
  }

  async begin(lock: TransactionLock): Promise<void> {
    this.#endTurn = await this.#turns.take();
    this.#begun = this.#runner.run({ sql: `begin ${lock}`, parameters: [], inTransaction: false });
    this.#begun.catch(() => {}); // each statement reports it
  }

  async commit(): Promise<void> {
    const answer = this.#runner.run({ sql: COMMIT, parameters: [], inTransaction: true });
    const [begun, outcome] = await Promise.all([this.#begun, answer]);
    if (begun !== undefined) success(begun);
    success(outcome);
  }

  /** After some failures the database has rolled back by itself: that is as good. */
  async rollback(): Promise<void> {
    const outcome = await this.#runner.run({
      sql: 'rollback',
      parameters: [],
      inTransaction: true,
    });
    if (outcome.kind !== 'no-transaction') success(outcome);
  }

  release(): void {
    this.#begun = undefined;
    this.#endTurn?.();
    this.#endTurn = undefined;
  }
}

/** How many may wait for their turn, the one whose turn it is included: some seconds' work. */
export const MAX_WAITING = 5_000;

/** Whoever takes a turn waits until those before have ended theirs. */
class Turns {
  #last: Promise<void> = Promise.resolve();
  #count = 0;

  get taken(): boolean {
    return this.#count > 0;
  }

  /** Throws 'exhausted' where too many wait already. */
  async take(): Promise<() => void> {
    if (this.#count >= MAX_WAITING) {
      throw new Fault('exhausted', 'datastore-sql: too many callers wait for the database');
    }
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    this.#count += 1;
    await before;
    return () => {
      this.#count -= 1;
      resolve();
    };
  }
}

const statement = (
  { sql, parameters }: Pick<CompiledQuery, 'sql' | 'parameters'>,
  inTransaction: boolean,
): Statement => ({ sql, parameters: parameters.map(toSqlValue), inTransaction });

function toSqlValue(value: unknown): SqlValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
    return value;
  }
  if (value instanceof Uint8Array) return value;
  throw new Fault('internal', `datastore-sql: no SQL form of ${typeof value}`);
}

type Success = Extract<Outcome, { kind: 'rows' | 'changed' }>;

function success(outcome: Outcome): Success {
  if (outcome.kind === 'failed') throw sqliteFault(outcome);
  if (outcome.kind === 'no-transaction') {
    throw new Fault('unknown', 'datastore-sql: the transaction was rolled back');
  }
  return outcome;
}

function toResult<R>(outcome: Success): QueryResult<R> {
  if (outcome.kind === 'rows') return { rows: outcome.rows as R[] };
  return {
    rows: [],
    numAffectedRows: BigInt(outcome.changes),
    insertId: BigInt(outcome.lastId),
  };
}
