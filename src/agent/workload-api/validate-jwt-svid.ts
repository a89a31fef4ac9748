import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { unixSeconds } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { type JwtSvid, verifyJwtSvid } from '../../spiffe/jwt-svid.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type {
  ValidateJWTSVIDRequest,
  ValidateJWTSVIDResponseSchema,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { WorkloadCall } from './call.ts';
import type { WorkloadApiDeps } from './deps.ts';

/** Needs no identity: the own trust domain's keys are everybody's to know (`reference/agent.md` §4.3). */
export async function validateJwtSvid(
  deps: WorkloadApiDeps,
  { audience, svid }: ValidateJWTSVIDRequest,
  call: WorkloadCall,
): Promise<MessageInitShape<typeof ValidateJWTSVIDResponseSchema>> {
  checkGiven(audience, 'audience', call);
  checkGiven(svid, 'svid', call);
  const selectors = await call.attest();
  const bundles = bundlesOf(deps.identities.latest(selectors));
  const bundleOf = (trustDomain: TrustDomain) => bundles.get(trustDomain.name);
  try {
    const now = unixSeconds(deps.clock);
    const token = await verifyJwtSvid(svid, bundleOf, [audience], now, 'workload-api');
    call.log.debug('Successfully validated JWT', { spiffe_id: token.id.toString() });
    return { spiffeId: token.id.toString(), claims: answeredClaims(deps, token) };
  } catch (error) {
    call.log.warn('Failed to validate JWT', { audience, error: error as Error });
    throw new Fault('invalid', reasonOf(error), { cause: error });
  }
}

function checkGiven(value: string, name: string, { log }: WorkloadCall): void {
  if (value !== '') return;
  log.error(`Missing required ${name} parameter`);
  throw new Fault('invalid', `${name} must be specified`);
}

const bundlesOf = ({ bundle, federatedBundles }: WorkloadUpdate): ReadonlyMap<string, Bundle> =>
  new Map([bundle, ...federatedBundles].map((one) => [one.trustDomain.name, one]));

/** What every foreign token's answer tells; other claims may mean anything there. */
const FOREIGN_CLAIMS = ['sub', 'exp', 'aud'];

function answeredClaims(
  { trustDomain, allowedForeignJwtClaims }: WorkloadApiDeps,
  { id, claims, audience }: JwtSvid,
): JsonObject {
  const told = id.memberOf(trustDomain)
    ? Object.keys(claims)
    : [...FOREIGN_CLAIMS, ...allowedForeignJwtClaims].filter((name) => Object.hasOwn(claims, name));
  const answered = Object.fromEntries(told.map((name) => [name, claims[name]]));
  return { ...answered, aud: [...audience] };
}
