import { create } from '@bufbuild/protobuf';
import { Fault, kindOf, wrapFault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { TrustDomain } from '../../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { StatusSchema } from '../../../wire/gen/spire/api/types/status_pb.ts';
import { flag } from '../../kit/flag.ts';
import { serverCommand } from '../../kit/server-command.ts';

/** The server's answer is empty; JSON shows that all went well. */
const DONE = { code: 0, message: 'OK' };

export const federationRefresh = serverCommand({
  name: 'federation refresh',
  flags: { id: flag.string('Trust domain whose bundle to fetch now, by name or SPIFFE ID') },
  services: { trustDomain: TrustDomain },
  async run({ id }, { api, out }) {
    if (id === '') throw new Fault('invalid', 'id is required');
    await api.trustDomain.refreshBundle({ trustDomain: id }).catch((error: unknown) => {
      if (kindOf(error) !== 'not-found') throw wrapFault('failed to refresh bundle', error);
      const why = `there is no federation relationship with trust domain ${goQuote(id)}`;
      throw new Fault('not-found', why);
    });
    out.print(StatusSchema, create(StatusSchema, DONE), () => 'Bundle refreshed\n');
  },
});
