import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { ListAgentsRequestSchema } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import {
  BatchCreateEntryRequestSchema,
  ListEntriesRequestSchema,
} from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { BatchCreateFederationRelationshipRequestSchema } from '../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { BundleSchema } from '../../wire/gen/spire/api/types/bundle_pb.ts';
import { goJson } from './go-json.ts';

const json = <S extends DescMessage>(schema: S, init: MessageInitShape<S>): string =>
  JSON.stringify(goJson(schema, create(schema, init)));

test('what is empty is left out', () => {
  assert.equal(json(BatchCreateEntryRequestSchema, {}), '{}');
  assert.equal(json(BatchCreateEntryRequestSchema, { entries: [{}] }), '{"entries":[{}]}');
});

test('proto names, numbers with all their digits, and lists', () => {
  assert.equal(
    json(BatchCreateEntryRequestSchema, {
      entries: [
        {
          spiffeId: { trustDomain: 'td', path: '/web' },
          selectors: [{ type: 'unix', value: 'uid:1' }],
          x509SvidTtl: 60,
          expiresAt: 9_007_199_254_740_993n,
          admin: true,
          dnsNames: ['a', 'b'],
        },
      ],
      outputMask: { spiffeId: true },
    }),
    '{"entries":[{"spiffe_id":{"trust_domain":"td","path":"/web"},"selectors":[{"type":"unix","value":"uid:1"}],"x509_svid_ttl":60,"admin":true,"expires_at":9007199254740993,"dns_names":["a","b"]}],"output_mask":{"spiffe_id":true}}',
  );
});

test('enums are numbers, and wrappers hold their value', () => {
  assert.equal(
    json(ListEntriesRequestSchema, {
      filter: { bySelectors: { match: 1, selectors: [{ type: 'a', value: 'b' }] }, byHint: 'h' },
      pageSize: 5,
    }),
    '{"filter":{"by_selectors":{"selectors":[{"type":"a","value":"b"}],"match":1},"by_hint":{"value":"h"}},"page_size":5}',
  );
  assert.equal(
    json(ListAgentsRequestSchema, { filter: { byBanned: false, byCanReattest: true } }),
    '{"filter":{"by_banned":{},"by_can_reattest":{"value":true}}}',
  );
});

test('bytes are in base64', () => {
  assert.equal(
    json(BundleSchema, {
      trustDomain: 'td',
      x509Authorities: [{ asn1: Uint8Array.of(255, 254) }],
      sequenceNumber: 7n,
    }),
    '{"trust_domain":"td","x509_authorities":[{"asn1":"//4="}],"sequence_number":7}',
  );
});

test('a oneof has its Go name, and is null where none is chosen', () => {
  const relationship = { trustDomain: 'td', bundleEndpointUrl: 'https://x' };
  assert.equal(
    json(BatchCreateFederationRelationshipRequestSchema, {
      federationRelationships: [
        {
          ...relationship,
          bundleEndpointProfile: {
            case: 'httpsSpiffe',
            value: { endpointSpiffeId: 'spiffe://td/s' },
          },
        },
        { ...relationship, bundleEndpointProfile: { case: 'httpsWeb', value: {} } },
        relationship,
      ],
    }),
    '{"federation_relationships":[{"trust_domain":"td","bundle_endpoint_url":"https://x","BundleEndpointProfile":{"HttpsSpiffe":{"endpoint_spiffe_id":"spiffe://td/s"}}},{"trust_domain":"td","bundle_endpoint_url":"https://x","BundleEndpointProfile":{"HttpsWeb":{}}},{"trust_domain":"td","bundle_endpoint_url":"https://x","BundleEndpointProfile":null}]}',
  );
});
