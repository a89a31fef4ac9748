import type { Log } from '../../ops/log.ts';
import type { StatementRunner } from './sqlite-driver.ts';
import type { Outcome, SqlValue, Statement } from './sqlite-messages.ts';

/**
 * Tells every statement, its values and what came of it, at level debug (`log_sql`). `elapsed_ms` counts from the
 * question to the answer, the wait for those before it included.
 */
export const loggedRunner = (runner: StatementRunner, parent: Log): StatementRunner => {
  const log = parent.child({ subsystem_name: 'gorm' }); // as in SPIRE, so that filters go on working
  return {
    async run(statement) {
      const started = performance.now();
      const outcome = await runner.run(statement);
      log.debug(statement.sql.trim(), {
        values: valuesText(statement),
        elapsed_ms: (performance.now() - started).toFixed(2),
        ...told(outcome),
      });
      return outcome;
    },
  };
};

/** A join token is a secret for as long as its row is there. */
const SECRET_TABLE = /\bjoin_tokens\b/;

const MAX_VALUE_CHARACTERS = 200;

function valuesText({ sql, parameters }: Statement): string | undefined {
  if (parameters.length === 0) return undefined;
  if (SECRET_TABLE.test(sql)) return '<secret>';
  return parameters.map(valueText).join(', ');
}

function valueText(value: SqlValue): string {
  if (value instanceof Uint8Array) return '<binary>';
  if (typeof value !== 'string') return String(value);
  return value.length <= MAX_VALUE_CHARACTERS
    ? `'${value}'`
    : `'${value.slice(0, MAX_VALUE_CHARACTERS)}…'`;
}

function told(outcome: Outcome) {
  switch (outcome.kind) {
    case 'rows':
      return { rows: outcome.rows.length };
    case 'changed':
      return { rows: outcome.changes };
    case 'failed':
      return { error: outcome.message };
    case 'no-transaction':
      return { error: 'the transaction was rolled back' };
    default:
      return outcome satisfies never;
  }
}
