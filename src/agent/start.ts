import type { Clock } from '../base/clock.ts';
import type { Log } from '../ops/log.ts';
import type { AgentConfig } from './config.ts';

/** What an agent needs of the world around it. */
export type AgentEnv = {
  readonly log: Log;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Environment variables; those that name proxies are used. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends the start when it aborts, attestation and its waits included; `startAgent` then rejects with its reason. */
  readonly signal: AbortSignal;
};

/** Disposing stops it: nothing is served, synchronised or renewed any more. */
export interface RunningAgent extends AsyncDisposable {
  /** Rejects when the agent must end, with what SPIRE's agent would end with. Never resolves. */
  readonly failed: Promise<never>;
}

/** Attests (or finds that it need not), synchronises, and serves the public socket: then it resolves. */
export declare function startAgent(config: AgentConfig, env: AgentEnv): Promise<RunningAgent>;
