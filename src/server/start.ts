import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Log } from '../ops/log.ts';
import type { ServerConfig } from './config.ts';

export type ServerEnv = {
  readonly log: Log;
  readonly clock: Clock;
};

export type RunningServer = AsyncDisposable & {
  /** Where the API listens; the port that was found free if the configuration says 0. */
  readonly tcpAddress: AddressInfo;
  /** Rejects when something the server cannot go on without has failed; never resolves. */
  readonly failed: Promise<never>;
};

/** Starts a server; resolves when both its listeners take calls. A start that fails undoes itself. */
export async function startServer(_config: ServerConfig, _env: ServerEnv): Promise<RunningServer> {
  throw new Fault('unimplemented', 'startServer');
}
