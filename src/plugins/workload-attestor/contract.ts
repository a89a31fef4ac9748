/** Finds out facts about a process of this node. */
export interface WorkloadAttestor extends AsyncDisposable {
  readonly name: string;
  /** Selector values of that process; the type is the attestor's name. Throws if they cannot be found out. */
  attest(pid: number, signal: AbortSignal): Promise<readonly string[]>;
}
