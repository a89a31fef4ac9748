import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/fault.ts';
import type { Log } from './log.ts';

/** What a check found (`reference/server.md` §11, `reference/agent.md` §4.6). */
export type HealthState = {
  readonly ready: boolean;
  readonly live: boolean;
  /** Told in the answer; empty when all is well, null when there is nothing to tell. */
  readonly details: Readonly<Record<string, string>> | null;
  /** Not yet up: a failure is then expected, and logged more quietly. */
  readonly starting?: boolean;
};

export type HealthCheck = {
  readonly name: string;
  /** A rejection counts as neither ready nor live. */
  check(signal: AbortSignal): Promise<HealthState>;
};

export type HealthDeps = {
  readonly checks: readonly HealthCheck[];
  readonly clock: Clock;
  readonly log: Log;
};

export type HealthAnswer = { readonly ok: boolean; readonly body: string };

/** Runs the checks again and again, and answers from what they found last. Disposing it stops them. */
export interface Health extends AsyncDisposable {
  answer(question: 'live' | 'ready'): HealthAnswer;
}

/** Until everything has been well once; from then on. */
const START_INTERVAL = 1000;
const INTERVAL = 60_000;

type Watched = {
  readonly check: HealthCheck;
  state: HealthState | undefined;
  failures: number;
  failingSince: number;
  lastError: string;
};

export function startHealth({ checks, clock, log }: HealthDeps): Health {
  const stop = new AbortController();
  const watched = checks
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      (check): Watched => ({
        check,
        state: undefined,
        failures: 0,
        failingSince: 0,
        lastError: '',
      }),
    );

  const run = async (): Promise<void> => {
    let interval = START_INTERVAL;
    while (!stop.signal.aborted) {
      await Promise.all(watched.map((each) => runCheck(each, { clock, log }, stop.signal)));
      if (watched.every(({ state }) => state?.ready === true && state.live)) interval = INTERVAL;
      await clock.sleep(interval, stop.signal).catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      });
    }
  };
  const running = run();
  return {
    answer(question) {
      const details = watched.map(
        ({ check, state }) => [check.name, state?.details ?? null] as const,
      );
      return {
        ok: watched.every(({ state }) => state?.[question] === true),
        body: `${JSON.stringify(Object.fromEntries(details))}\n`,
      };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function runCheck(
  watched: Watched,
  { clock, log }: Pick<HealthDeps, 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const { check } = watched;
  const state = await check.check(signal).catch(
    (error: unknown): HealthState => ({
      ready: false,
      live: false,
      details: { error: reasonOf(error) },
    }),
  );
  if (signal.aborted) return;
  watched.state = state;
  const fields = { check: check.name, details: detailsText(state) };
  const problem = problemOf(state);
  if (problem === undefined) {
    if (watched.failures > 0) {
      log.info('Health check recovered', {
        ...fields,
        error: watched.lastError,
        failures: watched.failures,
        duration: (clock.now() - watched.failingSince) / 1000,
      });
    }
    watched.failures = 0;
    return;
  }
  if (state.starting === true) {
    log.warn('Health check has failed. Starting up still.', { check: check.name, error: problem });
  } else {
    log.error('Health check has failed', { check: check.name, error: problem });
  }
  if (watched.failures === 0) {
    log.warn('Health check failed', { ...fields, error: problem });
    watched.failingSince = clock.now();
  }
  watched.failures += 1;
  watched.lastError = problem;
}

function problemOf({ ready, live }: HealthState): string | undefined {
  if (ready && live) return undefined;
  if (!ready && !live) return 'subsystem is not live or ready';
  return ready ? 'subsystem is not live' : 'subsystem is not ready';
}

/** As Go prints such a structure. */
const detailsText = ({ details }: HealthState): string =>
  `{${Object.values(details ?? {}).join(' ')}}`;
