import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Fault, reasonOf } from '../base/fault.ts';
import type { Bundle, KeyAuthority } from '../spiffe/bundle.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { BundleSchema, type PublicKey } from './gen/spire/common/common_pb.ts';
import { safeNumber } from './int64.ts';
import { prefixed } from './prefixed.ts';

/** A bundle as the datastore keeps it: a serialised `spire.common.Bundle`. Throws 'invalid'. */
export function storedBundleFromBytes(bytes: Uint8Array): Bundle {
  const stored = read(bytes);
  return {
    trustDomain: prefixed('invalid trust domain', () => TrustDomain.parse(stored.trustDomainId)),
    x509Authorities: stored.rootCas.map(({ derBytes, taintedKey }) => ({
      der: derBytes,
      tainted: taintedKey,
    })),
    jwtAuthorities: stored.jwtSigningKeys.map(keyFromStored),
    witAuthorities: stored.witSigningKeys.map(keyFromStored),
    refreshHintSeconds: safeNumber('refresh_hint', stored.refreshHint),
    sequenceNumber: stored.sequenceNumber,
  };
}

export function storedBundleToBytes(bundle: Bundle): Uint8Array {
  const stored = create(BundleSchema, {
    trustDomainId: bundle.trustDomain.idString,
    rootCas: bundle.x509Authorities.map(({ der, tainted }) => ({
      derBytes: der,
      taintedKey: tainted,
    })),
    jwtSigningKeys: bundle.jwtAuthorities.map(keyToStored),
    witSigningKeys: bundle.witAuthorities.map(keyToStored),
    refreshHint: BigInt(bundle.refreshHintSeconds),
    sequenceNumber: bundle.sequenceNumber,
  });
  return toBinary(BundleSchema, stored);
}

function read(bytes: Uint8Array) {
  try {
    return fromBinary(BundleSchema, bytes);
  } catch (error) {
    throw new Fault('invalid', `unable to unmarshal bundle: ${reasonOf(error)}`, { cause: error });
  }
}

const keyFromStored = ({ pkixBytes, kid, notAfter, taintedKey }: PublicKey): KeyAuthority => ({
  publicKey: pkixBytes,
  keyId: kid,
  expiresAt: safeNumber('not_after', notAfter),
  tainted: taintedKey,
});

const keyToStored = ({ publicKey, keyId, expiresAt, tainted }: KeyAuthority) => ({
  pkixBytes: publicKey,
  kid: keyId,
  notAfter: BigInt(expiresAt),
  taintedKey: tainted,
});
