import type { Metrics } from '../../ops/metrics.ts';
import type { BootstrapState } from './agent-data.ts';
import type { AgentDataFile } from './agent-data-file.ts';

const BOOTSTRAPPED = ['bootstrapped'];
const SECONDS = ['bootstrap_seconds'];
const ATTEMPTS = ['bootstrap_attempts'];

/** What Go's zero time is in Unix seconds: SPIRE says so where nothing is under way. */
const NO_TIME = -62_135_596_800;

/** The same file; how it stands with bootstrapping is told now, and at each change (`reference/agent.md` §7). */
export function tellingBootstrap(file: AgentDataFile, metrics: Metrics): AgentDataFile {
  tell(metrics, file.data.bootstrap);
  return {
    get data() {
      return file.data;
    },
    mend: () => file.mend(),
    async update(change) {
      await file.update(change);
      if (change.bootstrap !== undefined) tell(metrics, file.data.bootstrap);
    },
  };
}

function tell(metrics: Metrics, { use, startedAt, attempts }: BootstrapState): void {
  const labels = { mode: use };
  metrics.gauge(BOOTSTRAPPED, Number(startedAt === undefined));
  metrics.gauge(SECONDS, startedAt === undefined ? NO_TIME : startedAt / 1000, labels);
  metrics.gauge(ATTEMPTS, attempts, labels);
}
