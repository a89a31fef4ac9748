import { Fault, wrapFault } from '../../../../base/fault.ts';
import type { Client } from '../../../../rpc/dial.ts';
import {
  type JWTBundlesResponse,
  JWTBundlesResponseSchema,
  type JWTSVIDResponse,
  JWTSVIDResponseSchema,
  SpiffeWorkloadAPI,
} from '../../../../wire/gen/spiffe/workload/workload_pb.ts';
import { statusMessage } from '../../../kit/api.ts';
import { compareBytewise } from '../../../kit/compare-bytewise.ts';
import { firstMessage } from '../../../kit/first-message.ts';
import { flag } from '../../../kit/flag.ts';
import { workloadCommand } from '../../../kit/workload-command.ts';

export const apiFetchJwt = workloadCommand({
  name: 'api fetch jwt',
  usageTitle: 'fetch jwt',
  flags: {
    audience: flag.commaStrings('Whom the JWT-SVIDs are for, separated by commas'),
    spiffeID: flag.string('The one SPIFFE ID to get a JWT-SVID for'),
    format: flag.aliasOf('output', 'Deprecated; use -output'),
  },
  services: { workload: SpiffeWorkloadAPI },
  async run({ audience, spiffeID }, { api, out }) {
    if (audience.length === 0) throw new Fault('invalid', 'audience must be specified');
    const bundles = await fetchBundles(api.workload);
    const svids = await api.workload.fetchJWTSVID({ audience: [...audience], spiffeId: spiffeID });
    out.printAll(
      [
        [JWTSVIDResponseSchema, svids],
        [JWTBundlesResponseSchema, bundles],
      ],
      () => `${svids.svids.map(svidText).join('')}${bundlesText(bundles)}`,
    );
  },
});

const fetchBundles = (
  workload: Pick<Client<typeof SpiffeWorkloadAPI>, 'fetchJWTBundles'>,
): Promise<JWTBundlesResponse> =>
  firstMessage(workload.fetchJWTBundles({})).catch((error: unknown) => {
    const unreachable =
      error instanceof Fault && statusMessage(error).startsWith('connection error:');
    throw unreachable ? wrapFault('failed to receive JWT bundles', error) : error;
  });

const svidText = ({ spiffeId, svid, hint }: JWTSVIDResponse['svids'][number]): string =>
  section('token', spiffeId, svid) + (hint === '' ? '' : section('hint', spiffeId, hint));

const bundlesText = ({ bundles }: JWTBundlesResponse): string =>
  Object.entries(bundles)
    .sort(([a], [b]) => compareBytewise(a, b))
    .map(([domain, keys]) => section('bundle', domain, Buffer.from(keys).toString()))
    .join('');

const section = (what: string, whose: string, payload: string): string =>
  `${what}(${whose}):\n\t${payload}\n`;
