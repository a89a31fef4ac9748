import type { AuthorizedEntry } from './authorized-entry.ts';
import type { X509Svid } from './cache/workload-update.ts';

/** What an operator may be told of a running agent, as it is when one asks. */
export interface AgentStatus {
  /** The agent's own SVID: DER, leaf first. */
  readonly svidChain: readonly Uint8Array[];
  /** SVIDs held for workloads, and for stores of SVIDs. */
  readonly x509SvidCount: number;
  readonly jwtSvidCount: number;
  readonly storeSvidCount: number;
  /** Everything that the server lets this agent serve, what goes to stores of SVIDs included. */
  readonly entries: readonly AuthorizedEntry[];
  /** The X509-SVID that is held for that entry. */
  svidOf(entryId: string): X509Svid | undefined;
  /** When a synchronisation last succeeded in every step, in milliseconds since the Unix epoch. */
  readonly lastSyncSuccess: number | undefined;
  /** The synchronisation that ended last; undefined before the first. */
  readonly lastSync: SyncOutcome | undefined;
}

export type SyncOutcome = {
  /** Milliseconds since the Unix epoch. */
  readonly endedAt: number;
  /** What the server said, or what kept us from asking it; undefined: all went well. */
  readonly failure: string | undefined;
};
