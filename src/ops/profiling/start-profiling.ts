import type { Clock } from '../../base/clock.ts';
import type { Log } from '../log.ts';

/** The keys `profiling_port`, `profiling_freq` and `profiling_names` (`reference/server.md` §2). */
export type ProfilingSettings = {
  /** 0: not served. */
  readonly port: number;
  /** Seconds between dumps; 0: there are none. */
  readonly intervalSeconds: number;
  readonly names: readonly string[];
  /** Where the dumps go. */
  readonly folder: string;
};

export type ProfilingDeps = {
  /** Undefined: `profiling_enabled` is false. */
  readonly settings: ProfilingSettings | undefined;
  readonly program: 'server' | 'agent';
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Serves and dumps profiles of this process. What fails is told, and no reason not to go on (`reference/server.md` §5.1).
 * What it takes is loaded only if it is wanted.
 */
export async function startProfiling({
  settings,
  ...deps
}: ProfilingDeps): Promise<AsyncDisposable> {
  if (settings === undefined || !isWanted(settings)) return { async [Symbol.asyncDispose]() {} };
  const { runProfiling } = await import('./run-profiling.ts');
  return runProfiling(settings, deps);
}

const isWanted = ({ port, intervalSeconds }: ProfilingSettings): boolean =>
  port > 0 || intervalSeconds > 0;
