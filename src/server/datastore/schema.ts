import type { ColumnType, Generated, Kysely } from 'kysely';

/** The tables of SPIRE's schema, version 25 (`reference/server.md` §8.1), as Kysely sees them. */
export type Schema = {
  attested_node_entries: Stamped & {
    spiffe_id: string | null;
    data_type: string | null;
    serial_number: string | null;
    expires_at: Time;
    new_serial_number: string | null;
    new_expires_at: Time;
    can_reattest: Flag;
    agent_version: string | null;
  };
  attested_node_entries_events: Stamped & { spiffe_id: string | null };
  bundles: Stamped & { trust_domain: string; data: Uint8Array | null };
  ca_journals: Stamped & {
    data: Uint8Array | null;
    active_x509_authority_id: string | null;
    active_jwt_authority_id: string | null;
  };
  dns_names: Stamped & { registered_entry_id: number | null; value: string | null };
  federated_registration_entries: { bundle_id: number; registered_entry_id: number };
  federated_trust_domains: Stamped & {
    trust_domain: string;
    bundle_endpoint_url: string | null;
    bundle_endpoint_profile: string | null;
    endpoint_spiffe_id: string | null;
    implicit: Flag;
  };
  join_tokens: Stamped & { token: string | null; expiry: Integer };
  migrations: Stamped & { version: number | null; code_version: string | null };
  node_resolver_map_entries: Stamped & {
    spiffe_id: string | null;
    type: string | null;
    value: string | null;
  };
  registered_entries: Stamped & {
    entry_id: string | null;
    spiffe_id: string | null;
    parent_id: string | null;
    ttl: number | null;
    admin: Flag;
    downstream: Flag;
    expiry: Integer;
    revision_number: Integer;
    store_svid: Flag;
    hint: string | null;
    jwt_svid_ttl: number | null;
    additional_attributes: Uint8Array | null;
  };
  registered_entries_events: Stamped & { entry_id: string | null };
  selectors: Stamped & {
    registered_entry_id: number | null;
    type: string | null;
    value: string | null;
  };
};

/** A database, or an open transaction on one. */
export type Database = Kysely<Schema>;

type Stamped = { id: Generated<number>; created_at: Time; updated_at: Time };

/** As `timeText` writes it. */
type Time = ColumnType<string | null, string | null, string | null>;
/** SQLite has no booleans: it keeps 0 and 1. */
type Flag = ColumnType<number | boolean | null, boolean | null, boolean | null>;
/** 64 bits; a bigint where a number cannot hold it. */
type Integer = ColumnType<number | bigint | null, number | null, number | null>;

export const SCHEMA_VERSION = 25;
