import type { LogLevel } from './log.ts';
import type { Logger } from './logger.ts';

/** The level of a running program's log, which its operator may change; a restart forgets that. */
export interface LevelControl {
  readonly current: LogLevel;
  /** The level that the program was started with. */
  readonly launch: LogLevel;
  /** Counts at once and for the whole program. */
  set(level: LogLevel): void;
  /** Back to the launch level. */
  reset(): void;
}

export function createLevelControl(log: Pick<Logger, 'level' | 'setLevel'>): LevelControl {
  const launch = log.level;
  return {
    get current() {
      return log.level;
    },
    launch,
    set(level) {
      log.setLevel(level);
    },
    reset() {
      log.setLevel(launch);
    },
  };
}
