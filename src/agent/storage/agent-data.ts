/** What the agent knows again after a restart, but for its key (`reference/agent.md` §2.2). */
export type AgentData = {
  /** The agent's own SVID, DER, leaf first; empty: none. */
  readonly svid: readonly Uint8Array[];
  /** X.509 authorities of the own trust domain, DER; empty: none. */
  readonly bundle: readonly Uint8Array[];
  /** Whether the node attestation can be done again. */
  readonly reattestable: boolean;
  readonly bootstrap: BootstrapState;
};

/** How it stands with finding out whom to trust. */
export type BootstrapState = {
  /** `rebootstrap` once an attestation succeeded. */
  readonly use: 'bootstrap' | 'rebootstrap';
  /** Milliseconds since the Unix epoch; undefined: not under way. */
  readonly startedAt: number | undefined;
  readonly attempts: number;
};

export const emptyAgentData: AgentData = {
  svid: [],
  bundle: [],
  reattestable: false,
  bootstrap: { use: 'bootstrap', startedAt: undefined, attempts: 0 },
};
