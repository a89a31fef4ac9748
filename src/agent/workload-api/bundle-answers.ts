import { create, toBinary } from '@bufbuild/protobuf';
import type { Bundle } from '../../spiffe/bundle.ts';
import { writeJwtKeySet, writeWitKeySet } from '../../spiffe/bundle-document.ts';
import {
  JWTBundlesResponseSchema,
  WITBundlesResponseSchema,
  X509BundlesResponseSchema,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';

/** All X.509 authorities, concatenated DER; tainted ones too, since SVIDs of theirs are still about. */
export const x509BundleBytes = ({ x509Authorities }: Bundle): Uint8Array =>
  Buffer.concat(x509Authorities.map(({ der }) => der));

export const x509BundlesByTrustDomain = (
  bundles: readonly Bundle[],
): { [trustDomain: string]: Uint8Array } => byTrustDomain(bundles, x509BundleBytes);

/** The bytes of an X509BundlesResponse. A trust domain without authorities keeps its key. */
export const encodeX509Bundles = (bundles: readonly Bundle[]): Uint8Array =>
  toBinary(
    X509BundlesResponseSchema,
    create(X509BundlesResponseSchema, { bundles: x509BundlesByTrustDomain(bundles) }),
  );

/** The bytes of a JWTBundlesResponse. */
export const encodeJwtBundles = (bundles: readonly Bundle[]): Uint8Array =>
  toBinary(
    JWTBundlesResponseSchema,
    create(JWTBundlesResponseSchema, {
      bundles: byTrustDomain(bundles, (bundle) => Buffer.from(writeJwtKeySet(bundle))),
    }),
  );

/** The bytes of a WITBundlesResponse, whose values are texts. */
export const encodeWitBundles = (bundles: readonly Bundle[]): Uint8Array =>
  toBinary(
    WITBundlesResponseSchema,
    create(WITBundlesResponseSchema, { bundles: byTrustDomain(bundles, writeWitKeySet) }),
  );

const byTrustDomain = <T>(
  bundles: readonly Bundle[],
  value: (bundle: Bundle) => T,
): { [trustDomain: string]: T } =>
  Object.fromEntries(bundles.map((bundle) => [bundle.trustDomain.idString, value(bundle)]));
