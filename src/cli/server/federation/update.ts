import {
  BatchUpdateFederationRelationshipResponseSchema,
  TrustDomain,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { printResults } from './print-results.ts';
import { givenRelationships, relationshipFlags } from './relationship-flags.ts';

/** Replaces URL and profile; a bundle is replaced only if one is given. */
export const federationUpdate = serverCommand({
  name: 'federation update',
  flags: relationshipFlags,
  services: { trustDomain: TrustDomain },
  async run(given, { api, out, readStdin }) {
    const federationRelationships = await givenRelationships(given, { readStdin });
    const answer = await api.trustDomain
      .batchUpdateFederationRelationship({ federationRelationships })
      .catch(prefixed('request failed'));
    const schema = BatchUpdateFederationRelationshipResponseSchema;
    printResults(out, 'update', federationRelationships, schema, answer);
  },
});
