import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../../base/fault.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { SPIFFEIDSchema } from '../../../wire/gen/spire/api/types/spiffeid_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';

/** The agent that `-spiffeID` names. Throws 'invalid'. */
export function agentId(spiffeID: string): MessageInitShape<typeof SPIFFEIDSchema> {
  if (spiffeID === '') throw new Fault('invalid', 'a SPIFFE ID is required');
  return spiffeIdToProto(SpiffeId.parse(spiffeID));
}
