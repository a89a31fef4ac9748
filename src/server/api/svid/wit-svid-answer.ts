import type { MessageInitShape } from '@bufbuild/protobuf';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { readWitPublicKey, type WitKey, witKey } from '../../../spiffe/wit-key.ts';
import type { WITSVIDSchema } from '../../../wire/gen/spire/api/types/witsvid_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import type { IssuedJwtSvid } from '../../ca/contract.ts';

/** The workload's key of a request; `prefix` says what the caller calls a malformed one. Throws 'invalid'. */
export function requestedWitKey(
  prefix: string,
  { publicKey, signingAlgorithm }: { publicKey: Uint8Array; signingAlgorithm: string },
): WitKey {
  const key = prefixed(prefix, () => readWitPublicKey(publicKey));
  return prefixed('invalid signing algorithm or key type', () => witKey(key, signingAlgorithm));
}

export const witSvidToProto = (
  id: SpiffeId,
  { token, issuedAt, expiresAt }: IssuedJwtSvid,
): MessageInitShape<typeof WITSVIDSchema> => ({
  token,
  id: spiffeIdToProto(id),
  issuedAt: BigInt(issuedAt),
  expiresAt: BigInt(expiresAt),
});
