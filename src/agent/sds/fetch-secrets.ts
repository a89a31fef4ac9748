import { type MessageInitShape } from '@bufbuild/protobuf';
import type {
  DiscoveryRequest,
  DiscoveryResponseSchema,
} from '../../wire/gen/envoy/service/discovery/v3/discovery_pb.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import type { SdsDeps } from './deps.ts';
import { secretsOf } from './resolve-secrets.ts';
import { validatorFor } from './validator.ts';

/** What there is now, once; an identity whose SVID is not minted yet is not waited for. */
export async function fetchSecrets(
  { identities, sds }: SdsDeps,
  request: DiscoveryRequest,
  call: WorkloadCall,
): Promise<MessageInitShape<typeof DiscoveryResponseSchema>> {
  const update = identities.latest(await call.attest());
  try {
    const validator = validatorFor(request.node, sds.disableSpiffeCertValidation);
    const secrets = secretsOf(update, request.resourceNames, sds, validator);
    call.log.debug('Sending FetchSecrets response', { count: secrets.length });
    return { typeUrl: request.typeUrl, resources: secrets.map(({ resource }) => resource) };
  } catch (error) {
    call.log.error('Error building fetch secrets response', { error: error as Error });
    throw error;
  }
}
