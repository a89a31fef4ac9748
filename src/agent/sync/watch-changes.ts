import { createBackoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { kindOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { Watch } from '../../wire/gen/steeple/server/watch/v1/watch_pb.ts';
import type { ServerConnection } from '../server/server-connection.ts';

export type WatchChangesDeps = {
  readonly connection: Pick<ServerConnection, 'stream'>;
  /** Called when something may have changed, and when it may have changed unseen. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Pick<Log, 'debug'>;
};

/**
 * Streams end now and then by themselves; a server that ends them at once is not asked more often than this. One that was
 * away is found again so soon: synchronising tries again after minutes only. Five thousand agents cost it half a core then.
 */
const AGAIN = { initialMs: 1000, maxMs: 20_000, multiplier: 1.5, jitter: 0.2 };
/** A SPIRE server has no such service; but another may take its place. */
const UNKNOWN_MILLISECONDS = 10 * 60_000;

/**
 * Has the server say when something of this agent's has changed, until the signal aborts. Without it, or while it
 * fails, the agent polls as SPIRE's does, and nothing else is different.
 */
export async function watchChanges(deps: WatchChangesDeps, signal: AbortSignal): Promise<void> {
  const { connection, onChange, clock, log } = deps;
  const backoff = createBackoff({ ...deps, ...AGAIN });
  while (!signal.aborted) {
    let wait: number | undefined;
    const began = clock.now();
    try {
      const news = connection.stream(
        Watch,
        (client, options) => client.watchChanges({}, options),
        signal,
      );
      for await (const _ of news) {
        backoff.reset();
        onChange();
      }
      if (clock.now() - began >= AGAIN.initialMs) wait = 0;
    } catch (error) {
      if (signal.aborted) return;
      log.debug('Not told of changes by the server', { error: error as Error });
      if (kindOf(error) === 'unimplemented') wait = UNKNOWN_MILLISECONDS;
    }
    wait ??= backoff.next() ?? AGAIN.maxMs;
    await clock.sleep(wait, signal).catch(() => undefined); // the loop sees the signal
  }
}
