import type { Agent } from '../../spiffe/agent.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { Entry } from '../../spiffe/entry.ts';
import type { FederationRelationship } from '../../spiffe/federation-relationship.ts';
import type { Selector } from '../../spiffe/selector.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type {
  AgentPruneRule,
  AgentUpdate,
  BundleDeleteMode,
  BundleOperation,
  EntryField,
  NewEntry,
  RelationshipField,
  Row,
} from '../datastore/contract.ts';

/**
 * Everything the server knows, in memory, behind which handlers see no SQL. Reads are synchronous and answer from
 * memory; writes go to the datastore first and then to memory. It does not assume that it alone writes: whoever
 * learns of another server's write calls `applied`.
 */
export interface Registry {
  readonly entries: EntryRegistry;
  readonly agents: AgentRegistry;
  readonly bundles: BundleRegistry;
  readonly relationships: RelationshipRegistry;
  /** Brings memory up to date with what the datastore holds of these now; what is no longer there is forgotten. */
  applied(changes: Changes): Promise<void>;
}

/** What another server wrote. */
export type Changes = {
  readonly entryIds?: readonly string[];
  readonly agents?: readonly SpiffeId[];
  readonly bundles?: readonly TrustDomain[];
};

/** How a set S of an entry or an agent compares with the filter's set F (`reference/server.md` §8.3). */
export type SetMatch =
  /** S = F */
  | 'exact'
  /** S is not empty and within F */
  | 'subset'
  /** S contains F */
  | 'superset'
  /** S and F intersect */
  | 'any';

/** All conditions hold; one that is left out does not filter. An empty selector set throws 'invalid' with SPIRE's text. */
export type EntryFilter = {
  readonly spiffeId?: SpiffeId | undefined;
  readonly parentId?: SpiffeId | undefined;
  readonly selectors?: { readonly match: SetMatch; readonly set: readonly Selector[] } | undefined;
  /** An empty set does not filter. */
  readonly federatesWith?:
    | { readonly match: SetMatch; readonly set: readonly TrustDomain[] }
    | undefined;
  /** '' does not filter. */
  readonly hint?: string | undefined;
  /** Only `true` filters. A paged list applies it after the page is cut (§8.3): leave it out there. */
  readonly downstream?: boolean | undefined;
};

/** As EntryFilter. */
export type AgentFilter = {
  readonly attestationType?: string | undefined;
  readonly selectors?: { readonly match: SetMatch; readonly set: readonly Selector[] } | undefined;
  readonly banned?: boolean | undefined;
  readonly canReattest?: boolean | undefined;
  readonly expiresBeforeUnixSeconds?: number | undefined;
};

export interface EntryRegistry {
  get(entryId: string): Entry | undefined;
  /** All entries in row order; a snapshot. `pageOf` (paging.ts) cuts lists into pages. */
  rows(): readonly Row<Entry>[];
  /** Those that match, in row order; a snapshot. */
  select(filter: EntryFilter): readonly Row<Entry>[];
  bySpiffeId(id: SpiffeId): readonly Entry[];
  /** Entries that an agent may serve (`reference/server.md` §9). Memoised by revision: the same array while nothing changed. */
  authorizedFor(agent: SpiffeId): readonly Entry[];
  /** Whether that agent may serve that entry, and the entry. */
  authorizedEntry(agent: SpiffeId, entryId: string): Entry | undefined;
  create(entry: NewEntry): Promise<{ readonly entry: Entry; readonly created: boolean }>;
  update(entry: NewEntry, fields: ReadonlySet<EntryField>): Promise<Entry>;
  delete(entryId: string): Promise<void>;
  pruneExpired(beforeUnixSeconds: number): Promise<readonly Entry[]>;
  /** Grows with every change of what `authorizedFor` could answer. */
  readonly revision: number;
  /** Called when `revision` has grown, and when an agent was banned; the returned function stops that. */
  onChange(listener: () => void): () => void;
}

export interface AgentRegistry {
  /** From memory; for lists and counts. */
  get(id: SpiffeId): Agent | undefined;
  rows(): readonly Row<Agent>[];
  select(filter: AgentFilter): readonly Row<Agent>[];
  /** From the datastore, and memory is brought up to date: what makes an agent stop is confirmed with this first. */
  confirm(id: SpiffeId): Promise<Agent | undefined>;
  attested(agent: Agent): Promise<Agent>;
  update(id: SpiffeId, update: AgentUpdate): Promise<Agent>;
  activate(id: SpiffeId, newSerialNumber: string): Promise<Agent>;
  ban(id: SpiffeId): Promise<Agent>;
  delete(id: SpiffeId): Promise<void>;
  /** Resolves with those that went. */
  pruneExpired(rule: AgentPruneRule): Promise<readonly SpiffeId[]>;
}

export interface BundleRegistry {
  get(trustDomain: TrustDomain): Bundle | undefined;
  /** All bundles, the own one too, in row order. */
  rows(): readonly Row<Bundle>[];
  create(bundle: Bundle): Promise<Bundle>;
  set(bundle: Bundle): Promise<Bundle>;
  modify(
    trustDomain: TrustDomain,
    change: (stored: Bundle | undefined) => Bundle | undefined,
    operation?: BundleOperation,
  ): Promise<Bundle | undefined>;
  delete(trustDomain: TrustDomain, mode: BundleDeleteMode): Promise<void>;
  /** Called after any change; the returned function stops that. */
  onChange(listener: (trustDomain: TrustDomain) => void): () => void;
}

/** Federation relationships that were made through the API; those of the configuration are not here. */
export interface RelationshipRegistry {
  get(trustDomain: TrustDomain): FederationRelationship | undefined;
  rows(): readonly Row<FederationRelationship>[];
  /** As the store does; a bundle that comes with a relationship is in memory when these resolve, too. */
  create(relationship: FederationRelationship, bundle?: Bundle): Promise<FederationRelationship>;
  update(
    relationship: FederationRelationship,
    fields: ReadonlySet<RelationshipField>,
    bundle?: Bundle,
  ): Promise<FederationRelationship>;
  delete(trustDomain: TrustDomain): Promise<void>;
  /** Reads all of them again: nothing tells when another server wrote one. Throws if the datastore does. */
  reload(): Promise<void>;
}
