import type { Clock } from '../../base/clock.ts';
import type { BootstrapState } from '../storage/agent-data.ts';
import type { AgentDataFile } from '../storage/agent-data-file.ts';

/** Counts one more try at finding out whom to trust, durably, before it is made (`reference/agent.md` §2.3). */
export async function countBootstrapAttempt(
  storage: AgentDataFile,
  clock: Pick<Clock, 'now'>,
): Promise<BootstrapState> {
  const former = storage.data.bootstrap;
  const bootstrap = {
    use: former.use,
    startedAt: former.startedAt ?? clock.now(),
    attempts: former.attempts + 1,
  };
  await storage.update({ bootstrap });
  return bootstrap;
}
