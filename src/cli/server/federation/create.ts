import {
  BatchCreateFederationRelationshipResponseSchema,
  TrustDomain,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { printResults } from './print-results.ts';
import { givenRelationships, relationshipFlags } from './relationship-flags.ts';

export const federationCreate = serverCommand({
  name: 'federation create',
  flags: relationshipFlags,
  services: { trustDomain: TrustDomain },
  async run(given, { api, out, readStdin }) {
    const federationRelationships = await givenRelationships(given, { readStdin });
    const answer = await api.trustDomain
      .batchCreateFederationRelationship({ federationRelationships })
      .catch(prefixed('request failed'));
    const schema = BatchCreateFederationRelationshipResponseSchema;
    printResults(out, 'create', federationRelationships, schema, answer);
  },
});
