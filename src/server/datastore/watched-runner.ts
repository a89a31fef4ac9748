import type { Log } from '../../ops/log.ts';
import type { StatementRunner } from './sqlite-driver.ts';
import { sqliteFault } from './sqlite-fault.ts';

/** Tells once when the database is lost, and once when it is there again. */
export function watchedRunner(runner: StatementRunner, log: Log): StatementRunner {
  let lost = false;
  return {
    async run(statement) {
      const outcome = await runner.run(statement);
      const isLost = outcome.kind === 'failed' && outcome.code === 'lost';
      if (isLost && !lost) {
        log.error('The database is lost: SVIDs are issued from memory, and nothing is changed', {
          error: sqliteFault(outcome).message,
        });
        lost = true;
      } else if (lost && !statement.inTransaction && outcome.kind !== 'failed') {
        log.info('The database is there again');
        lost = false;
      }
      return outcome;
    },
  };
}
