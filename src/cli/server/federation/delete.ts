import { Fault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import {
  BatchDeleteFederationRelationshipResponseSchema,
  TrustDomain,
} from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { flag } from '../../kit/flag.ts';
import { isOk } from '../../kit/item-status.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';

const FAILED = 'failed to delete federation relationship';

export const federationDelete = serverCommand({
  name: 'federation delete',
  flags: { id: flag.string('Trust domain of the relationship, by name or SPIFFE ID') },
  services: { trustDomain: TrustDomain },
  async run({ id }, { api, out }) {
    if (id === '') throw new Fault('invalid', 'id is required');
    const answer = await api.trustDomain
      .batchDeleteFederationRelationship({ trustDomains: [id] })
      .catch(prefixed(FAILED));
    out.print(BatchDeleteFederationRelationshipResponseSchema, answer, ({ results }) => {
      const failed = results.find(({ status }) => !isOk(status));
      if (failed === undefined) return 'federation relationship deleted.\n';
      const { trustDomain, status } = failed;
      throw new Fault('unknown', `${FAILED} ${goQuote(trustDomain)}: ${status?.message ?? ''}`);
    });
  },
});
