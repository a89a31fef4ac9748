import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import type { Channel } from '../../../src/rpc/dial.ts';
import {
  Agent,
  ListAgentsResponseSchema,
} from '../../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import {
  Bundle,
  ListFederatedBundlesResponseSchema,
} from '../../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import {
  Entry,
  ListEntriesResponseSchema,
} from '../../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import {
  GetJWTAuthorityStateResponseSchema,
  GetX509AuthorityStateResponseSchema,
  LocalAuthority,
} from '../../../src/wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import {
  ListFederationRelationshipsResponseSchema,
  TrustDomain,
} from '../../../src/wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { BundleSchema } from '../../../src/wire/gen/spire/api/types/bundle_pb.ts';

export type Answers = Readonly<Record<string, JsonValue>>;

/** Everything that a server tells an administrator of what it holds. */
export async function readAnswers(local: Channel): Promise<Answers> {
  const authorities = local.client(LocalAuthority);
  const bundles = local.client(Bundle);
  return {
    entries: json(ListEntriesResponseSchema, await local.client(Entry).listEntries({})),
    agents: json(ListAgentsResponseSchema, await local.client(Agent).listAgents({})),
    bundle: json(BundleSchema, await bundles.getBundle({})),
    federatedBundles: json(
      ListFederatedBundlesResponseSchema,
      await bundles.listFederatedBundles({}),
    ),
    relationships: json(
      ListFederationRelationshipsResponseSchema,
      await local.client(TrustDomain).listFederationRelationships({}),
    ),
    x509Authorities: json(
      GetX509AuthorityStateResponseSchema,
      await authorities.getX509AuthorityState({}),
    ),
    jwtAuthorities: json(
      GetJWTAuthorityStateResponseSchema,
      await authorities.getJWTAuthorityState({}),
    ),
  };
}

/** Lists of which the order says nothing are sorted. */
function json<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonValue {
  return sorted(toJson(schema, message));
}

const UNORDERED = new Set(['selectors', 'federatesWith']);

function sorted(value: JsonValue, name = ''): JsonValue {
  if (Array.isArray(value)) {
    const items = value.map((item) => sorted(item));
    return UNORDERED.has(name)
      ? items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : items;
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sorted(item, key)]));
}
