import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Fault, reasonOf } from '../base/fault.ts';
import type { AdditionalAttributes } from '../spiffe/entry.ts';
import { RegistrationEntry_AdditionalAttributesSchema as Schema } from './gen/spire/common/common_pb.ts';

/**
 * The datastore's form of an entry's additional attributes (`reference/server.md` §8.1). Attributes that are all
 * off read back as absent. Throws 'invalid'.
 */
export function storedAttributesFromBytes(
  bytes: Uint8Array | undefined,
): AdditionalAttributes | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  const { disableX509SvidPrefetch, jwtSvidIncludeJti } = read(bytes);
  if (!disableX509SvidPrefetch && !jwtSvidIncludeJti) return undefined;
  return { disableX509SvidPrefetch, jwtSvidIncludeJti };
}

export const storedAttributesToBytes = (attributes: AdditionalAttributes): Uint8Array =>
  toBinary(Schema, create(Schema, attributes));

function read(bytes: Uint8Array) {
  try {
    return fromBinary(Schema, bytes);
  } catch (error) {
    throw new Fault('invalid', `unable to unmarshal additional attributes: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
