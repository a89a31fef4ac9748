/**
 * Takes away what SIGUSR1 and SIGUSR2 do by themselves: the first would open Node's debugger on a port, the second
 * ends the process. Each program does this first of all; who has a use for them listens too.
 */
export function holdUserSignals(): void {
  for (const name of ['SIGUSR1', 'SIGUSR2'] as const) process.on(name, () => {});
}

/** Calls `listener` each time that one signal comes; the result ends that. */
export type OnSignal = (listener: () => void) => Disposable;
