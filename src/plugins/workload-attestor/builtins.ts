import type { BuiltIns, Plugin } from '../../catalog/plugin.ts';
import type { WorkloadAttestor } from './contract.ts';

/** What workload attestors may use of the agent. */
export type WorkloadAttestorEnv = {
  /** `HOST_PROC` names another place for `/proc`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};
export type WorkloadAttestorPlugin = Plugin<WorkloadAttestorEnv, WorkloadAttestor>;

export const workloadAttestors: BuiltIns<WorkloadAttestorPlugin> = {
  unix: () => import('./unix/agent.ts'),
};
