import type { Clock } from '../../base/clock.ts';
import { Fault, kindOf } from '../../base/fault.ts';
import { startHealthChecks } from '../../ops/health-checks.ts';
import { serveHealth } from '../../ops/health-http.ts';
import type { HealthSettings } from '../../ops/health-settings.ts';
import type { Log } from '../../ops/log.ts';
import type { CallDeps } from '../workload-api/call.ts';
import type { WorkloadApiDeps } from '../workload-api/deps.ts';
import { fetchX509Bundles } from '../workload-api/fetch-bundles.ts';
import { firstAnswer, ownCall } from './own-call.ts';

export type HealthProbesDeps = {
  readonly settings: HealthSettings;
  readonly clock: Clock;
  readonly log: Log;
};

export interface HealthProbes extends AsyncDisposable {
  /** The agent's sockets are there. `test` throws 'unavailable' if the agent is not well. */
  started(test: () => Promise<void>): void;
}

/** An agent that cannot attest says so to probes from then on (`reference/agent.md` §2.1). */
const PATIENCE_MILLISECONDS = 8000;

/** Looks after the agent's health from the moment its sockets are there, or from a while after its start (§4.6). */
export function watchHealth({ settings, clock, log }: HealthProbesDeps): HealthProbes {
  let test: (() => Promise<void>) | undefined;
  const early = new AbortController();
  const stopped = new AbortController();
  const watching = clock
    .sleep(PATIENCE_MILLISECONDS, early.signal)
    .catch(() => undefined) // the sockets were faster, or the agent ends
    .then(async () => {
      const opened = new AsyncDisposableStack();
      if (stopped.signal.aborted) return opened;
      const checks = opened.use(
        startHealthChecks({ checks: [agentCheck(() => test)], clock, log }),
      );
      if (settings.listenerEnabled) opened.use(await serveHealth({ settings, checks, log }));
      return opened;
    });
  return {
    started(sound) {
      test = sound;
      early.abort();
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      early.abort();
      await (await watching).disposeAsync();
    },
  };
}

const agentCheck = (test: () => (() => Promise<void>) | undefined) => ({
  name: 'agent',
  problemKey: 'make_new_x509_err',
  isStarting: () => test() === undefined,
  async test() {
    const sound = test();
    if (sound === undefined) throw new Fault('unavailable', UNAVAILABLE);
    await sound();
  },
});

const UNAVAILABLE = 'workload api is unavailable';
/** A test that takes longer is given up by whoever asked for it; the call must not stay. */
const TEST_MILLISECONDS = 60_000;

/** Whether the Workload API would give bundles; being refused is no sign of ill health. */
export async function testWorkloadApi(
  calls: CallDeps,
  workloadApi: WorkloadApiDeps,
): Promise<void> {
  const call = ownCall(calls, 'FetchX509Bundles', AbortSignal.timeout(TEST_MILLISECONDS));
  try {
    await firstAnswer(fetchX509Bundles(workloadApi, call));
  } catch (error) {
    if (kindOf(error) === 'unavailable')
      throw new Fault('unavailable', UNAVAILABLE, { cause: error });
  }
}
