import { setTimeout as wait } from 'node:timers/promises';
import { Fault } from '../../base/fault.ts';
import type { OpenLog } from '../../ops/open-log.ts';
import { SPIRE_VERSION, STEEPLE_VERSION } from '../../ops/version.ts';
import type { Env } from './env.ts';
import { setUmask } from './umask.ts';

/** What runs until it is told to stop, or cannot go on. */
export type Service = AsyncDisposable & { readonly failed: Promise<never> };

export type ServiceParts = {
  readonly who: 'Server' | 'Agent';
  readonly opened: OpenLog;
  /** The signal ends a start that takes long; it then rejects with its reason. */
  readonly start: (signal: AbortSignal) => Promise<Service>;
  /** Told of a failure before it is said that the program crashed. */
  readonly onFailure?: (error: Error) => void;
};

/**
 * Starts a service and runs it until SIGINT or SIGTERM; the second of these ends the process at once. SIGUSR2 opens
 * the log file anew; SIGUSR1 is the service's. Failures go to the log only (`reference/cli.md` §3.5), and so does what
 * nobody caught, which ends the process. The result is the exit code.
 */
export async function runService(
  { who, opened, start, onFailure }: ServiceParts,
  env: Pick<Env, 'signals' | 'host'>,
): Promise<number> {
  const { log } = opened;
  const stop = new AbortController();
  using _stopping = env.signals.on(['SIGINT', 'SIGTERM'], () => {
    if (stop.signal.aborted) env.host.exit(1);
    stop.abort(new Fault('canceled', 'context canceled'));
  });
  using _watching = env.host.onBug(lastWords(who, opened, env.host));
  using _rotating = env.signals.on(['SIGUSR2'], () => {
    void opened.reopen();
  });
  try {
    log.info('Starting Steeple', { version: STEEPLE_VERSION, spire_version: SPIRE_VERSION });
    setUmask(env.host, log);
    await using service = await start(stop.signal);
    await Promise.race([service.failed, aborted(stop.signal)]);
  } catch (thrown) {
    if (thrown !== stop.signal.reason) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      onFailure?.(error);
      log.error(`${who} crashed`, { error });
      return 1;
    }
  }
  log.info(`${who} stopped gracefully`);
  return 0;
}

/** Of a panic, as Go's programs have it. */
const EXIT_BUG = 2;
/** A log that cannot be written must not keep a broken program alive. */
const LAST_WORDS_MILLISECONDS = 1000;

/** Whoever runs the program looks into the log, not at standard error; nothing of the service is trusted any more. */
function lastWords(
  who: ServiceParts['who'],
  opened: OpenLog,
  host: Pick<Env['host'], 'exit'>,
): (error: Error) => void {
  let said = false;
  const leave = async () => {
    await Promise.race([
      opened.drained(),
      wait(LAST_WORDS_MILLISECONDS, undefined, { ref: false }),
    ]).catch(() => undefined); // a log that is broken is not in the way
    host.exit(EXIT_BUG);
  };
  return (error) => {
    if (said) return;
    said = true;
    const { stack } = error;
    opened.log.error(`${who} crashed: this is a bug, please report it`, { error, stack });
    void leave();
  };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
