import type { Agent } from '../../spiffe/agent.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { Entry } from '../../spiffe/entry.ts';
import type { FederationRelationship } from '../../spiffe/federation-relationship.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';

/**
 * What survives a restart: SPIRE's schema, version 25 (`reference/server.md` §8). Every method is one transaction;
 * when it resolves, the change is durable, and calls resolve in the order in which they took effect. Errors are
 * Faults with SPIRE's `datastore-sql: ` and `datastore-validation: ` texts. Rows that cannot be read (malformed IDs)
 * are told to `skipped` and left out.
 */
export interface Datastore extends AsyncDisposable {
  readonly entries: EntryStore;
  readonly agents: AgentStore;
  readonly bundles: BundleStore;
  readonly relationships: RelationshipStore;
  readonly joinTokens: JoinTokenStore;
  readonly caJournals: CaJournalStore;
  /** Deletes the event rows written before that moment. */
  pruneEvents(beforeUnixSeconds: number): Promise<void>;
  /** Rejects when the datastore is lost for good (every later call rejects too); never resolves. */
  readonly failed: Promise<never>;
}

export type Skipped = (what: {
  readonly kind: 'entry' | 'agent' | 'bundle' | 'relationship';
  /** The entry ID, SPIFFE ID or trust domain, as stored. */
  readonly id: string;
  readonly rowId: number;
  readonly reason: string;
}) => void;

/** A stored value with the row's number, which gives lists their order and pages their token. */
export type Row<T> = { readonly rowId: number; readonly value: T };

/** A new entry: as the caller gave it; the store chooses the ID where it is empty. */
export type NewEntry = Omit<Entry, 'revisionNumber' | 'createdAt'>;

/** Which fields an update replaces; all others keep their stored value. */
export type EntryField =
  | 'spiffeId'
  | 'parentId'
  | 'selectors'
  | 'x509SvidTtlSeconds'
  | 'jwtSvidTtlSeconds'
  | 'federatesWith'
  | 'admin'
  | 'downstream'
  | 'expiresAt'
  | 'dnsNames'
  | 'storeSvid'
  | 'hint'
  | 'additionalAttributes';

export interface EntryStore {
  /** Every entry, in row order. */
  all(skipped: Skipped): Promise<readonly Row<Entry>[]>;
  /** Those of the named entries that there are, as stored now, in row order. */
  byIds(entryIds: readonly string[], skipped: Skipped): Promise<readonly Row<Entry>[]>;
  /** Resolves with the similar entry (same IDs, same selectors) and `created: false` if there is one. */
  create(entry: NewEntry): Promise<{ readonly row: Row<Entry>; readonly created: boolean }>;
  /** Throws 'not-found' for an unknown ID. */
  update(entry: NewEntry, fields: ReadonlySet<EntryField>): Promise<Row<Entry>>;
  /** Throws 'not-found'. */
  delete(entryId: string): Promise<void>;
  /** Deletes what expired before that moment; resolves with the entries that went. */
  pruneExpired(beforeUnixSeconds: number): Promise<readonly Entry[]>;
}

export type AgentUpdate = Partial<
  Pick<
    Agent,
    | 'serialNumber'
    | 'expiresAt'
    | 'newSerialNumber'
    | 'newExpiresAt'
    | 'canReattest'
    | 'agentVersion'
  >
>;

export interface AgentStore {
  all(skipped: Skipped): Promise<readonly Row<Agent>[]>;
  /** The stored agent as it is now (a fresh read), or undefined. */
  get(id: SpiffeId): Promise<Row<Agent> | undefined>;
  /**
   * Creates the agent, or updates serial, expiry and canReattest of the stored one and clears its renewed SVID; replaces
   * its selectors. Throws 'denied' (and changes nothing) where the stored agent is banned.
   */
  attested(agent: Agent): Promise<Row<Agent>>;
  /** Throws 'not-found'; 'denied' where the agent is banned and the update names a serial number. */
  update(id: SpiffeId, update: AgentUpdate): Promise<Row<Agent>>;
  /** Makes the renewed SVID the current one; changes nothing if it is not the renewed one (any more). Throws 'not-found'. */
  activate(id: SpiffeId, newSerialNumber: string): Promise<Row<Agent>>;
  /** Empties both serial numbers. Throws 'not-found'. */
  ban(id: SpiffeId): Promise<Row<Agent>>;
  /** Deletes the agent with its selectors and, for a join token agent, its alias entries. Throws 'not-found'. */
  delete(id: SpiffeId): Promise<{ readonly entriesDeleted: readonly string[] }>;
  /** Deletes agents that expired long ago, as `delete` does; banned ones stay. Resolves with those that went. */
  pruneExpired(rule: AgentPruneRule): Promise<PrunedAgents>;
}

export type AgentPruneRule = {
  readonly beforeUnixSeconds: number;
  /** Also agents that cannot attest again. */
  readonly includeNonReattestable: boolean;
  /** At most so many, those that expired first. */
  readonly limit: number;
};

export type PrunedAgents = {
  readonly agents: readonly SpiffeId[];
  readonly entriesDeleted: readonly string[];
};

export interface BundleStore {
  all(skipped: Skipped): Promise<readonly Row<Bundle>[]>;
  get(trustDomain: TrustDomain): Promise<Row<Bundle> | undefined>;
  /** Throws 'already-exists'. */
  create(bundle: Bundle): Promise<Row<Bundle>>;
  /** Creates or replaces. */
  set(bundle: Bundle): Promise<Row<Bundle>>;
  /**
   * Reads (locked), changes and writes in one transaction; `change` sees undefined where there is no bundle, and
   * what it returns is stored (undefined: nothing is). It may throw, then nothing changes. It must be pure.
   * `operation` is what it counts as in metrics; 'update' if left out.
   */
  modify(
    trustDomain: TrustDomain,
    change: (stored: Bundle | undefined) => Bundle | undefined,
    operation?: BundleOperation,
  ): Promise<Row<Bundle> | undefined>;
  /** Throws 'not-found'; in mode 'restrict' 'failed-precondition' where entries federate with it. */
  delete(trustDomain: TrustDomain, mode: BundleDeleteMode): Promise<BundleDeletion>;
}

export type BundleOperation =
  | 'append'
  | 'prune'
  | 'update'
  | 'taint-x509'
  | 'revoke-x509'
  | 'taint-jwt'
  | 'revoke-jwt';

export type BundleDeleteMode = 'restrict' | 'delete' | 'dissociate';
export type BundleDeletion = {
  readonly entriesDeleted: readonly string[];
  readonly entriesDissociated: readonly string[];
};

export type RelationshipField = 'bundleEndpointUrl' | 'bundleEndpointProfile';

/** What was written; the bundle if one came with it. */
export type RelationshipWrite = {
  readonly row: Row<FederationRelationship>;
  readonly bundle: Row<Bundle> | undefined;
};

/** Federation relationships that were made through the API; a bundle that comes with one replaces the stored one. */
export interface RelationshipStore {
  all(skipped: Skipped): Promise<readonly Row<FederationRelationship>[]>;
  /** Throws 'already-exists'. */
  create(relationship: FederationRelationship, bundle?: Bundle): Promise<RelationshipWrite>;
  /** Replaces those fields. Throws 'not-found'. */
  update(
    relationship: FederationRelationship,
    fields: ReadonlySet<RelationshipField>,
    bundle?: Bundle,
  ): Promise<RelationshipWrite>;
  /** The bundle stays. Throws 'not-found'. */
  delete(trustDomain: TrustDomain): Promise<void>;
}

export type JoinToken = { readonly token: string /** Unix seconds. */; readonly expiresAt: number };

export interface JoinTokenStore {
  /** Throws 'already-exists'. */
  create(token: JoinToken): Promise<void>;
  /** Takes the token away and resolves with it: of several callers at once only one gets it, the others undefined. */
  spend(token: string): Promise<JoinToken | undefined>;
}

export type CaJournalRow = {
  readonly id: number;
  readonly data: Uint8Array;
  readonly activeX509AuthorityId: string;
};

export interface CaJournalStore {
  all(): Promise<readonly CaJournalRow[]>;
  findByActiveX509Authority(authorityId: string): Promise<CaJournalRow | undefined>;
  /** Writes a new row where id is 0. Resolves with the row's id. */
  save(row: CaJournalRow): Promise<number>;
  delete(id: number): Promise<void>;
}
