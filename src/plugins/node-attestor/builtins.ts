import type { Clock } from '../../base/clock.ts';
import type { BuiltIns, Plugin } from '../../catalog/plugin.ts';
import type { Log } from '../../ops/log.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AgentNodeAttestor, ServerNodeAttestor } from './contract.ts';
import type { JoinTokens } from './join-token/server.ts';

/** What the server's attestors may use of the server. */
export type ServerNodeAttestorEnv = {
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly trustDomain: TrustDomain;
  readonly joinTokens: JoinTokens;
  /** The X.509 authorities of the server's own bundle, DER. */
  readonly x509Authorities: () => readonly Uint8Array[];
};
export type ServerNodeAttestorPlugin = Plugin<ServerNodeAttestorEnv, ServerNodeAttestor>;

export const serverNodeAttestors: BuiltIns<ServerNodeAttestorPlugin> = {
  join_token: () => import('./join-token/server.ts'),
  x509pop: () => import('./x509pop/server.ts'),
};

/** What the agent's attestors may use of the agent. */
export type AgentNodeAttestorEnv = {
  /** From the command line or the agent's own configuration; undefined if there is none. */
  readonly joinToken: string | undefined;
};
export type AgentNodeAttestorPlugin = Plugin<AgentNodeAttestorEnv, AgentNodeAttestor>;

export const agentNodeAttestors: BuiltIns<AgentNodeAttestorPlugin> = {
  join_token: () => import('./join-token/agent.ts'),
  x509pop: () => import('./x509pop/agent.ts'),
};
