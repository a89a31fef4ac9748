import type { Selectable } from 'kysely';
import { Fault, reasonOf } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import {
  type BundleEndpointProfile,
  endpointIdOf,
  type FederationRelationship,
} from '../../spiffe/federation-relationship.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { setBundle } from './bundle-store.ts';
import type { RelationshipStore } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import type { Database, Schema } from './schema.ts';
import { recordNotFound } from './sqlite-fault.ts';

export function createRelationshipStore(deps: StoreDeps): RelationshipStore {
  const { db } = deps;

  return {
    async all(skipped) {
      const rows = await selectRelationships(db).orderBy('id').execute();
      return rows.flatMap((row) => {
        try {
          return [{ rowId: row.id, value: relationshipFromRow(row) }];
        } catch (error) {
          const reason = reasonOf(error);
          skipped({ kind: 'relationship', id: row.trust_domain, rowId: row.id, reason });
          return [];
        }
      });
    },

    async create(relationship, bundle) {
      return await db.transaction().execute(async (tx) => {
        const stored = bundle && (await setBundle(tx, deps, bundle));
        const { id } = await tx
          .insertInto('federated_trust_domains')
          .values({
            ...stamps(deps),
            trust_domain: relationship.trustDomain.name,
            ...columnsOf(relationship),
            implicit: false,
          })
          .returning('id')
          .executeTakeFirstOrThrow();
        return { row: { rowId: id, value: relationship }, bundle: stored };
      });
    },

    async update(relationship, fields, bundle) {
      return await db.transaction().execute(async (tx) => {
        const row = await find(tx, relationship.trustDomain);
        if (row === undefined) {
          throw new Fault('not-found', 'unable to fetch federation relationship: record not found');
        }
        const stored = bundle && (await setBundle(tx, deps, bundle));
        const columns = columnsOf(relationship);
        const changed = {
          ...(fields.has('bundleEndpointUrl') && {
            bundle_endpoint_url: columns.bundle_endpoint_url,
          }),
          ...(fields.has('bundleEndpointProfile') && {
            bundle_endpoint_profile: columns.bundle_endpoint_profile,
            endpoint_spiffe_id: columns.endpoint_spiffe_id,
          }),
        };
        await tx
          .updateTable('federated_trust_domains')
          .set({ updated_at: stamps(deps).updated_at, ...changed })
          .where('id', '=', row.id)
          .execute();
        return {
          row: { rowId: row.id, value: relationshipFromRow({ ...row, ...changed }) },
          bundle: stored,
        };
      });
    },

    async delete(trustDomain) {
      const { numDeletedRows } = await db
        .deleteFrom('federated_trust_domains')
        .where('trust_domain', '=', trustDomain.name)
        .executeTakeFirst();
      if (numDeletedRows === 0n) throw recordNotFound();
    },
  };
}

type RelationshipRow = Pick<
  Selectable<Schema['federated_trust_domains']>,
  'id' | 'trust_domain' | 'bundle_endpoint_url' | 'bundle_endpoint_profile' | 'endpoint_spiffe_id'
>;

const selectRelationships = (db: Database) =>
  db
    .selectFrom('federated_trust_domains')
    .select([
      'id',
      'trust_domain',
      'bundle_endpoint_url',
      'bundle_endpoint_profile',
      'endpoint_spiffe_id',
    ]);

const find = (db: Database, { name }: TrustDomain): Promise<RelationshipRow | undefined> =>
  selectRelationships(db).where('trust_domain', '=', name).executeTakeFirst();

const columnsOf = (relationship: FederationRelationship) => ({
  bundle_endpoint_url: relationship.bundleEndpointUrl,
  bundle_endpoint_profile: relationship.bundleEndpointProfile.kind,
  endpoint_spiffe_id: endpointIdOf(relationship)?.toString() ?? '',
});

/** Throws 'invalid' with SPIRE's words (`reference/server.md` §14.6). */
function relationshipFromRow(row: RelationshipRow): FederationRelationship {
  if (row.trust_domain === '') throw new Fault('invalid', 'trust domain is required');
  const { bundle_endpoint_url: bundleEndpointUrl } = row;
  if (!bundleEndpointUrl) throw new Fault('invalid', 'bundle endpoint URL is required');
  return {
    trustDomain: TrustDomain.parse(row.trust_domain),
    bundleEndpointUrl,
    bundleEndpointProfile: profileOf(row),
  };
}

function profileOf({
  bundle_endpoint_profile: name,
  endpoint_spiffe_id: endpointId,
}: RelationshipRow): BundleEndpointProfile {
  if (name === 'https_web') return { kind: name };
  if (name === 'https_spiffe') {
    return { kind: name, endpointSpiffeId: SpiffeId.parse(endpointId ?? '') };
  }
  throw new Fault('invalid', `unsupported BundleEndpointProfile: ${goQuote(name ?? '')}`);
}
