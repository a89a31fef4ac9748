import type { Clock } from '../../base/clock.ts';
import type { Channel, DialOptions } from '../../rpc/dial.ts';

/** Where a program's words go. */
export type Sink = { write(text: string): void };

/** Everything of the outside world that a command may touch; built by `bin/`, faked by tests. */
export type Env = {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** All of standard input, to its end. */
  readStdin(): Promise<Uint8Array>;
  readonly clock: Clock;
  dial(options: DialOptions): Promise<Channel>;
  readonly signals: Signals;
};

/** The signals of the process; without a listener each keeps its default effect. */
export type Signals = {
  /** Calls `listener` whenever one of the names arrives; the result ends that. */
  on(names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void): Disposable;
};
