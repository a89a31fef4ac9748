import type { MessageInitShape } from '@bufbuild/protobuf';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { X509SVIDSchema } from '../../wire/gen/spire/api/types/x509svid_pb.ts';
import { spiffeIdToProto } from '../../wire/spiffe-id.ts';
import type { IssuedX509Svid } from '../ca/contract.ts';

export const x509SvidToProto = (
  id: SpiffeId,
  { chain, notAfter }: IssuedX509Svid,
): MessageInitShape<typeof X509SVIDSchema> => ({
  id: spiffeIdToProto(id),
  certChain: [...chain],
  expiresAt: BigInt(notAfter),
});
