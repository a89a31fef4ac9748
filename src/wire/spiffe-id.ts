import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../base/fault.ts';
import { checkAgentId, checkMember, checkWorkloadId } from '../spiffe/id-rules.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import type { SPIFFEID, SPIFFEIDSchema } from './gen/spire/api/types/spiffeid_pb.ts';

type ProtoId = Pick<SPIFFEID, 'trustDomain' | 'path'> | undefined;

/** An ID of any trust domain (`reference/server.md` §14.1). Throws 'invalid' with SPIRE's words. */
export function spiffeIdFromProto(proto: ProtoId): SpiffeId {
  if (proto === undefined) throw new Fault('invalid', 'request must specify SPIFFE ID');
  return SpiffeId.of(TrustDomain.parse(proto.trustDomain), proto.path);
}

/** An ID of this trust domain, with a path. Throws 'invalid'. */
export function memberIdFromProto(proto: ProtoId, trustDomain: TrustDomain): SpiffeId {
  const id = spiffeIdFromProto(proto);
  checkMember(id, trustDomain);
  return id;
}

/** An ID in the namespace of agents. Throws 'invalid'. */
export function agentIdFromProto(proto: ProtoId, trustDomain: TrustDomain): SpiffeId {
  const id = spiffeIdFromProto(proto);
  checkAgentId(id, trustDomain);
  return id;
}

/** An ID outside the reserved namespace. Throws 'invalid'. */
export function workloadIdFromProto(proto: ProtoId, trustDomain: TrustDomain): SpiffeId {
  const id = spiffeIdFromProto(proto);
  checkWorkloadId(id, trustDomain);
  return id;
}

export function spiffeIdToProto(id: SpiffeId): MessageInitShape<typeof SPIFFEIDSchema> {
  return { trustDomain: id.trustDomain.name, path: id.path };
}
