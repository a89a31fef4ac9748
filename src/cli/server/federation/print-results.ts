import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import type { FederationRelationship } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';
import type { Status } from '../../../wire/gen/spire/api/types/status_pb.ts';
import { isOk, statusText } from '../../kit/item-status.ts';
import type { Out } from '../../kit/out.ts';
import { relationshipBlock } from './relationship-block.ts';

type Result = {
  readonly status?: Status | undefined;
  readonly federationRelationship?: FederationRelationship | undefined;
};

/**
 * The answer to `federation create` or `federation update`: as text the relationships that went well, then the others
 * as they were asked for, with the reason. Throws if one failed, but not in JSON.
 */
export function printResults<D extends DescMessage>(
  out: Out,
  verb: 'create' | 'update',
  requested: readonly FederationRelationship[],
  schema: D,
  answer: MessageShape<D> & { readonly results: readonly Result[] },
): void {
  const { results } = answer;
  out.print(schema, answer, () =>
    results
      .filter(({ status }) => isOk(status))
      .map(({ federationRelationship: shown }) => (shown ? `\n${relationshipBlock(shown)}` : ''))
      .join(''),
  );
  if (out.format === 'json') return;
  let failed = false;
  for (const [index, { status }] of results.entries()) {
    const asked = requested[index];
    if (isOk(status) || asked === undefined) continue;
    failed = true;
    out.write('\n');
    out.remark(`Failed to ${verb} the following federation relationship ${statusText(status)}:\n`);
    out.remark(relationshipBlock(asked));
  }
  if (failed) {
    throw new Fault('unknown', `failed to ${verb} one or more federation relationships`);
  }
}
