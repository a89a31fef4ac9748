import type { Clock } from '../base/clock.ts';
import { Fault, reasonOf } from '../base/fault.ts';
import { repeat } from '../base/repeat.ts';
import type { Log } from './log.ts';

/** Until everything is well for the first time, and from then on (`reference/server.md` §11.1). */
const FIRST_INTERVAL_MILLISECONDS = 1000;
const INTERVAL_MILLISECONDS = 60_000;
/** A test that takes longer has failed. */
const TEST_TIMEOUT_MILLISECONDS = 60_000;

export type HealthCheck = {
  readonly name: string;
  /** The member of the details that says what is wrong. */
  readonly problemKey: string;
  /** Throws if something is wrong. */
  test(): Promise<void>;
  /** What is starting still counts as live, though not as ready. Left out: it has started. */
  readonly isStarting?: () => boolean;
};

export type HealthReport = {
  readonly ok: boolean;
  /** By the checks' names, sorted; null before the first run. */
  readonly details: Readonly<Record<string, Readonly<Record<string, string>> | null>>;
};

export type HealthChecks = AsyncDisposable & {
  /** As the last run found it. */
  live(): HealthReport;
  ready(): HealthReport;
};

type State = {
  readonly live: boolean;
  readonly ready: boolean;
  readonly details: Readonly<Record<string, string>> | null;
};

export type HealthChecksOptions = {
  readonly checks: readonly HealthCheck[];
  readonly clock: Clock;
  readonly log: Log;
};

/** Runs the checks, now and again and again, until it is disposed. */
export function startHealthChecks({
  checks,
  clock,
  log: parent,
}: HealthChecksOptions): HealthChecks {
  const log = parent.child({ subsystem_name: 'health' });
  const stop = new AbortController();
  log.debug('Initializing health checkers');
  const watched = checks
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((check) => ({ check, state: UNKNOWN, trouble: createTrouble(check.name, clock, log) }));
  let wereWell = false;

  const run = async (): Promise<void> => {
    await Promise.all(
      watched.map(async (one) => {
        one.state = await stateOf(one.check, clock, stop.signal);
        if (!stop.signal.aborted) one.trouble(one.state, one.check.isStarting?.() ?? false);
      }),
    );
    wereWell ||= watched.every(({ state }) => state.live && state.ready);
  };
  const milliseconds = () => (wereWell ? INTERVAL_MILLISECONDS : FIRST_INTERVAL_MILLISECONDS);
  const loop = run().then(() => repeat({ clock, signal: stop.signal, milliseconds }, run));

  const report = (aspect: 'live' | 'ready'): HealthReport => ({
    ok: watched.every(({ state }) => state[aspect]),
    details: Object.fromEntries(watched.map(({ check, state }) => [check.name, state.details])),
  });
  return {
    live: () => report('live'),
    ready: () => report('ready'),
    async [Symbol.asyncDispose]() {
      log.debug('Finishing health checker');
      stop.abort();
      await loop;
    },
  };
}

const UNKNOWN: State = { live: false, ready: false, details: null };

async function stateOf(check: HealthCheck, clock: Clock, stopped: AbortSignal): Promise<State> {
  const tested = new AbortController();
  const timeout = clock
    .sleep(TEST_TIMEOUT_MILLISECONDS, AbortSignal.any([tested.signal, stopped]))
    .then(() => {
      throw new Fault('deadline', 'context deadline exceeded');
    });
  try {
    await Promise.race([check.test(), timeout]);
    return { live: true, ready: true, details: {} };
  } catch (error) {
    const starting = check.isStarting?.() ?? false;
    return { live: starting, ready: false, details: { [check.problemKey]: reasonOf(error) } };
  } finally {
    tested.abort();
    timeout.catch(() => undefined); // it ended with the test
  }
}

/** Tells of one check's failures: each of them, the first of a row in more words, and its recovery. */
function createTrouble(check: string, clock: Pick<Clock, 'now'>, log: Log) {
  let failures = 0;
  let since = 0;
  let last = '';
  return (state: State, starting: boolean): void => {
    const error = problemOf(state);
    const details = JSON.stringify(state.details);
    if (error !== undefined) {
      if (starting) log.warn('Health check has failed. Starting up still.', { check, error });
      else log.error('Health check has failed', { check, error });
      if (failures === 0) {
        since = clock.now();
        log.warn('Health check failed', { check, details, error });
      }
      failures++;
      last = error;
    } else if (failures > 0) {
      const duration = (clock.now() - since) / 1000;
      log.info('Health check recovered', { check, details, error: last, failures, duration });
      failures = 0;
    }
  };
}

function problemOf({ live, ready }: State): string | undefined {
  if (live && ready) return undefined;
  if (live) return 'subsystem is not ready';
  return ready ? 'subsystem is not live' : 'subsystem is not live or ready';
}
