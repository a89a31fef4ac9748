import {
  ListFederationRelationshipsResponseSchema,
  TrustDomain,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { relationshipBlock } from './relationship-block.ts';

export const federationList = serverCommand({
  name: 'federation list',
  flags: {},
  services: { trustDomain: TrustDomain },
  async run(_, { api, out }) {
    const all = await api.trustDomain
      .listFederationRelationships({})
      .catch(prefixed('error listing federation relationship'));
    out.print(
      ListFederationRelationshipsResponseSchema,
      all,
      ({ federationRelationships: { length }, federationRelationships }) =>
        `Found ${length} federation relationship${length === 1 ? '' : 's'}\n` +
        federationRelationships.map((shown) => `\n${relationshipBlock(shown)}`).join(''),
    );
  },
});
