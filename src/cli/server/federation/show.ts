import { Fault } from '../../../base/fault.ts';
import { TrustDomain } from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { FederationRelationshipSchema } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import { flag } from '../../kit/flag.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { relationshipBlock } from './relationship-block.ts';

export const federationShow = serverCommand({
  name: 'federation show',
  flags: { trustDomain: flag.string('Trust domain of the relationship, by name or SPIFFE ID') },
  services: { service: TrustDomain },
  async run({ trustDomain }, { api, out }) {
    if (trustDomain === '') throw new Fault('invalid', 'a trust domain name is required');
    const shown = await api.service
      .getFederationRelationship({ trustDomain })
      .catch(prefixed('error showing federation relationship'));
    out.print(
      FederationRelationshipSchema,
      shown,
      (relationship) =>
        `Found a federation relationship with trust domain ${trustDomain}:\n\n` +
        relationshipBlock(relationship),
    );
  },
});
