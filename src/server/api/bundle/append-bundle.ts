import { Fault } from '../../../base/fault.ts';
import type { Answer } from '../../../rpc/service.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import {
  bundleToProto,
  jwtAuthoritiesFromProto,
  x509AuthoritiesFromProto,
} from '../../../wire/bundle.ts';
import type { AppendBundleRequest } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { BundleSchema } from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { appendToBundle } from './append-to-bundle.ts';
import { jwtAuditFields, x509AuditFields } from './bundle-audit.ts';

export type AppendBundleDeps = {
  readonly bundles: Pick<BundleRegistry, 'modify'>;
  readonly trustDomain: TrustDomain;
};

/** Adds to the own bundle what it does not hold yet; WIT keys are not looked at, as in SPIRE. */
export async function appendBundle(
  { bundles, trustDomain }: AppendBundleDeps,
  request: Pick<AppendBundleRequest, 'x509Authorities' | 'jwtAuthorities' | 'outputMask'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof BundleSchema>> {
  call.audit({
    ...jwtAuditFields(request.jwtAuthorities),
    ...x509AuditFields(request.x509Authorities),
  });
  if (request.x509Authorities.length + request.jwtAuthorities.length === 0) {
    throw new Fault('invalid', 'no authorities to append');
  }
  const jwtAuthorities = prefixed('failed to convert JWT authority', () =>
    jwtAuthoritiesFromProto(request.jwtAuthorities),
  );
  const x509Authorities = prefixed('failed to convert X.509 authority', () =>
    x509AuthoritiesFromProto(request.x509Authorities),
  );
  const bundle = await appendToBundle(bundles, trustDomain, {
    x509Authorities,
    jwtAuthorities,
  }).catch(rethrow('failed to append bundle'));
  return bundleToProto(bundle, request.outputMask);
}
