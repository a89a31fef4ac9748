import { Fault } from '../../../base/fault.ts';
import type { Answer } from '../../../rpc/service.ts';
import type { KeyAuthority } from '../../../spiffe/bundle.ts';
import { jwtAuthorityFromProto, keyAuthorityToProto } from '../../../wire/bundle.ts';
import type {
  PublishJWTAuthorityRequest,
  PublishJWTAuthorityResponseSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';
import { jwtAuthorityAuditFields } from './bundle-audit.ts';

export type PublishJwtAuthorityDeps = {
  /** Makes a downstream server's key known to the trust domain; resolves with all its JWT authorities. */
  readonly publishJwtAuthority: (authority: KeyAuthority) => Promise<readonly KeyAuthority[]>;
};

export async function publishJwtAuthority(
  deps: PublishJwtAuthorityDeps,
  { jwtAuthority }: Pick<PublishJWTAuthorityRequest, 'jwtAuthority'>,
  call: Pick<Call, 'rateLimit' | 'audit'>,
): Promise<Answer<typeof PublishJWTAuthorityResponseSchema>> {
  if (jwtAuthority) call.audit(jwtAuthorityAuditFields(jwtAuthority));
  await call
    .rateLimit(1)
    .catch(rethrow('rejecting request due to key publishing rate limiting', { kind: 'keep' }));
  if (jwtAuthority === undefined) throw new Fault('invalid', 'missing JWT authority');
  const authority = prefixed('invalid JWT authority', () => jwtAuthorityFromProto(jwtAuthority));
  const all = await deps.publishJwtAuthority(authority).catch(rethrow('failed to publish JWT key'));
  return { jwtAuthorities: all.map(keyAuthorityToProto) };
}
