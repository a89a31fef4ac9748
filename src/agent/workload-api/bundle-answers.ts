import { create, toBinary } from '@bufbuild/protobuf';
import type { Bundle } from '../../spiffe/bundle.ts';
import { writeJwtKeySet } from '../../spiffe/bundle-document.ts';
import {
  JWTBundlesResponseSchema,
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

const byTrustDomain = (
  bundles: readonly Bundle[],
  value: (bundle: Bundle) => Uint8Array,
): { [trustDomain: string]: Uint8Array } =>
  Object.fromEntries(bundles.map((bundle) => [bundle.trustDomain.idString, value(bundle)]));
