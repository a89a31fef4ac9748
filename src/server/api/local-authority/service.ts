import { implement } from '../../../rpc/service.ts';
import { LocalAuthority } from '../../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import type { Call } from '../call.ts';
import { unimplemented } from '../unimplemented.ts';
import { activateJwtAuthority } from './activate-jwt-authority.ts';
import { activateX509Authority } from './activate-x509-authority.ts';
import { getJwtAuthorityState } from './get-jwt-authority-state.ts';
import { getX509AuthorityState } from './get-x509-authority-state.ts';
import { prepareJwtAuthority } from './prepare-jwt-authority.ts';
import { prepareX509Authority } from './prepare-x509-authority.ts';
import { type RevokeJwtAuthorityDeps, revokeJwtAuthority } from './revoke-jwt-authority.ts';
import { type RevokeX509AuthorityDeps, revokeX509Authority } from './revoke-x509-authority.ts';
import { revokeX509UpstreamAuthority } from './revoke-x509-upstream-authority.ts';
import { type TaintJwtAuthorityDeps, taintJwtAuthority } from './taint-jwt-authority.ts';
import { type TaintX509AuthorityDeps, taintX509Authority } from './taint-x509-authority.ts';
import { taintX509UpstreamAuthority } from './taint-x509-upstream-authority.ts';

export type LocalAuthorityDeps = TaintX509AuthorityDeps &
  RevokeX509AuthorityDeps &
  TaintJwtAuthorityDeps &
  RevokeJwtAuthorityDeps;

/** The answering server's own authorities, rotated by hand (`reference/server.md` §14.7). */
export const localAuthorityService = (deps: LocalAuthorityDeps) =>
  implement<typeof LocalAuthority, Call>(LocalAuthority, {
    getX509AuthorityState: (_, call) => getX509AuthorityState(deps, call),
    prepareX509Authority: () => prepareX509Authority(deps),
    activateX509Authority: (request, call) => activateX509Authority(deps, request, call),
    taintX509Authority: (request, call) => taintX509Authority(deps, request, call),
    revokeX509Authority: (request, call) => revokeX509Authority(deps, request, call),
    taintX509UpstreamAuthority: (request, call) => taintX509UpstreamAuthority(deps, request, call),
    revokeX509UpstreamAuthority: (request, call) =>
      revokeX509UpstreamAuthority(deps, request, call),
    getJWTAuthorityState: (_, call) => getJwtAuthorityState(deps, call),
    prepareJWTAuthority: () => prepareJwtAuthority(deps),
    activateJWTAuthority: (request, call) => activateJwtAuthority(deps, request, call),
    taintJWTAuthority: (request, call) => taintJwtAuthority(deps, request, call),
    revokeJWTAuthority: (request, call) => revokeJwtAuthority(deps, request, call),
    getWITAuthorityState: unimplemented(WIT_MISSING),
    prepareWITAuthority: unimplemented(WIT_MISSING),
    activateWITAuthority: unimplemented(WIT_MISSING),
    taintWITAuthority: unimplemented(WIT_MISSING),
    revokeWITAuthority: unimplemented(WIT_MISSING),
  });

/** SPIRE's answer, whatever its feature flags say. */
const WIT_MISSING = 'WIT-SVID functionality is not yet implemented';
