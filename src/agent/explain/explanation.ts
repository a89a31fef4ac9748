/** Why a process has the identities that it has, or none. */
export type Explanation = {
  readonly pid: number;
  readonly verdict: Verdict;
  /** The verdict as a sentence, with what was decisive. */
  readonly conclusion: string;
  /** In the order of the configuration. */
  readonly attestors: readonly AttestorFinding[];
  /** Ascending by entry ID. */
  readonly matching: readonly MatchingEntry[];
  /** Nearest first, no more than a few. */
  readonly near: readonly NearEntry[];
  /** How many would be told if all were. */
  readonly nearCount: number;
  readonly agent: AgentState;
};

export type Verdict =
  | 'has-identity'
  | 'attestation-failed'
  | 'no-selectors'
  | 'no-entries'
  | 'no-entry-matches'
  | 'stored-only'
  | 'no-svid';

export type AttestorFinding = {
  readonly name: string;
  /** `type:value`; empty where it failed. */
  readonly selectors: readonly string[];
  readonly failure: string | undefined;
  readonly durationMicroseconds: number;
};

export type MatchingEntry = {
  readonly entryId: string;
  readonly spiffeId: string;
  readonly selectors: readonly string[];
  readonly hint: string;
  readonly service: EntryService;
  /** Unix seconds; undefined if no X509-SVID of it is held. */
  readonly svidExpiresAt: number | undefined;
};

/** How an entry serves a process that has its selectors. */
export type EntryService =
  | { readonly kind: 'served' }
  | { readonly kind: 'not-signed-yet' }
  | { readonly kind: 'expired' }
  /** Another entry with the same hint goes before it. */
  | { readonly kind: 'hidden'; readonly by: string }
  /** It goes to a store of SVIDs only. */
  | { readonly kind: 'stored' };

export type NearEntry = {
  readonly entryId: string;
  readonly spiffeId: string;
  /** What the process has of the entry's selectors. */
  readonly has: readonly string[];
  readonly lacks: readonly Lacking[];
};

export type Lacking = {
  readonly selector: string;
  /** What the process has in its place: selectors of the same kind. */
  readonly found: readonly string[];
};

export type AgentState = {
  readonly spiffeId: string;
  /** Unix seconds. */
  readonly svidExpiresAt: number;
  readonly entryCount: number;
  /** Milliseconds since the Unix epoch. */
  readonly lastSyncSuccess: number | undefined;
  readonly lastSync: number | undefined;
  readonly lastSyncFailure: string | undefined;
};
