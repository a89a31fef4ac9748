import type { Clock } from '../../base/clock.ts';
import type { ConfigEnv } from '../../ops/config-env.ts';
import type { LogSettings, OpenLog } from '../../ops/open-log.ts';
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
  readonly host: Host;
};

/** The signals of the process; without a listener each keeps its default effect. */
export type Signals = {
  /** Calls `listener` whenever one of the names arrives; the result ends that. */
  on(names: readonly NodeJS.Signals[], listener: () => void): Disposable;
};

/** What only programs touch that run on: the process itself, and what their configuration names. */
export type Host = Pick<ConfigEnv, 'readFile' | 'resolveHost'> & {
  openLog(settings: LogSettings): Promise<OpenLog>;
  /** Sets the process' umask if one is given; the result is the one before. */
  umask(mask?: number): number;
  /** Whether a debugger can be attached. */
  inspected(): Promise<boolean>;
  /** The home directory of the account that the process runs as, whatever HOME says. */
  homeFolder(): string;
  /** Absolute path of the file by which a program of this installation is called. */
  launcher(program: string): string;
  /** Told of what nobody caught, after standard error; whoever listens ends the process. */
  onBug(listener: (error: Error) => void): Disposable;
  /** Ends the process at once. */
  exit(code: number): void;
};
