import type { JsonValue } from '@bufbuild/protobuf';
import { Fault, wrapFault } from '../../../../base/fault.ts';
import {
  SpiffeWorkloadAPI,
  ValidateJWTSVIDResponseSchema,
} from '../../../../wire/gen/spiffe/workload/workload_pb.ts';
import { statusMessage } from '../../../kit/api.ts';
import { compareBytewise } from '../../../kit/compare-bytewise.ts';
import { flag } from '../../../kit/flag.ts';
import { workloadCommand } from '../../../kit/workload-command.ts';

export const apiValidateJwt = workloadCommand({
  name: 'api validate jwt',
  usageTitle: 'validate jwt',
  flags: {
    audience: flag.string('Whom the token must be for'),
    svid: flag.string('The token'),
  },
  services: { workload: SpiffeWorkloadAPI },
  async run({ audience, svid }, { api, out }) {
    if (audience === '') throw new Fault('invalid', 'audience must be specified');
    if (svid === '') throw new Fault('invalid', 'svid must be specified');
    const answer = await api.workload.validateJWTSVID({ audience, svid }).catch(refusal);
    out.print(
      ValidateJWTSVIDResponseSchema,
      answer,
      ({ spiffeId, claims }) =>
        `SVID is valid.\nSPIFFE ID : ${spiffeId}\nClaims    : ${spaced(claims ?? {})}\n`,
    );
  },
});

function refusal(error: unknown): never {
  if (error instanceof Fault && error.kind === 'invalid') {
    throw new Fault('invalid', `SVID is not valid: ${statusMessage(error)}`, { cause: error });
  }
  throw wrapFault('unable to validate JWT SVID', error);
}

/** One line of JSON in the way of Go's protojson: members sorted, a space after each comma. */
function spaced(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => compareBytewise(a, b))
    .map(([name, member]) => `${JSON.stringify(name)}:${spaced(member)}`);
  return `{${members.join(', ')}}`;
}
