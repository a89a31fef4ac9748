import type { LevelControl } from '../../ops/level-control.ts';
import { healthService } from '../../rpc/health.ts';
import { type BoundService, implement } from '../../rpc/service.ts';
import type { TrustDomain as TrustDomainName } from '../../spiffe/trust-domain.ts';
import { Agent } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Debug } from '../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { Entry } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { Logger } from '../../wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { SVID } from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { TrustDomain } from '../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import type { Issuer } from '../ca/contract.ts';
import type { BundleManager } from '../federation/contract.ts';
import type { Registry } from '../registry/contract.ts';
import { type AttestAgentDeps, attestAgent } from './agent/attest-agent.ts';
import { banAgent } from './agent/ban-agent.ts';
import { countAgents } from './agent/count-agents.ts';
import { type CreateJoinTokenDeps, createJoinToken } from './agent/create-join-token.ts';
import { deleteAgent } from './agent/delete-agent.ts';
import { getAgent } from './agent/get-agent.ts';
import { listAgents } from './agent/list-agents.ts';
import { postStatus } from './agent/post-status.ts';
import { renewAgent } from './agent/renew-agent.ts';
import { appendBundle } from './bundle/append-bundle.ts';
import { batchCreateFederatedBundle } from './bundle/batch-create-federated-bundle.ts';
import { batchDeleteFederatedBundle } from './bundle/batch-delete-federated-bundle.ts';
import { batchSetFederatedBundle } from './bundle/batch-set-federated-bundle.ts';
import { batchUpdateFederatedBundle } from './bundle/batch-update-federated-bundle.ts';
import { countBundles } from './bundle/count-bundles.ts';
import { getBundle } from './bundle/get-bundle.ts';
import { getFederatedBundle } from './bundle/get-federated-bundle.ts';
import { listFederatedBundles } from './bundle/list-federated-bundles.ts';
import {
  type PublishJwtAuthorityDeps,
  publishJwtAuthority,
} from './bundle/publish-jwt-authority.ts';
import type { Call } from './call.ts';
import { createGetInfo, type GetInfoDeps } from './debug/get-info.ts';
import { batchCreateEntry } from './entry/batch-create-entry.ts';
import { batchDeleteEntry } from './entry/batch-delete-entry.ts';
import { batchUpdateEntry } from './entry/batch-update-entry.ts';
import { countEntries } from './entry/count-entries.ts';
import { getAuthorizedEntries } from './entry/get-authorized-entries.ts';
import { getEntry } from './entry/get-entry.ts';
import { listEntries } from './entry/list-entries.ts';
import { syncAuthorizedEntries } from './entry/sync-authorized-entries.ts';
import { type IsServingDeps, isServing } from './health/is-serving.ts';
import { type LocalAuthorityDeps, localAuthorityService } from './local-authority/service.ts';
import { getLogger } from './logger/get-logger.ts';
import { resetLogLevel } from './logger/reset-log-level.ts';
import { setLogLevel } from './logger/set-log-level.ts';
import { batchNewWitSvid } from './svid/batch-new-wit-svid.ts';
import { batchNewX509Svid } from './svid/batch-new-x509-svid.ts';
import type { JwtSvidDeps } from './svid/jwt-svid-answer.ts';
import { mintJwtSvid } from './svid/mint-jwt-svid.ts';
import { type MintWitSvidDeps, mintWitSvid } from './svid/mint-wit-svid.ts';
import { mintX509Svid } from './svid/mint-x509-svid.ts';
import { newDownstreamX509Ca } from './svid/new-downstream-x509-ca.ts';
import { newJwtSvid } from './svid/new-jwt-svid.ts';
import { batchCreateFederationRelationship } from './trust-domain/batch-create-federation-relationship.ts';
import { batchDeleteFederationRelationship } from './trust-domain/batch-delete-federation-relationship.ts';
import { batchUpdateFederationRelationship } from './trust-domain/batch-update-federation-relationship.ts';
import { getFederationRelationship } from './trust-domain/get-federation-relationship.ts';
import { listFederationRelationships } from './trust-domain/list-federation-relationships.ts';
import { refreshBundle } from './trust-domain/refresh-bundle.ts';
import { unimplemented } from './unimplemented.ts';
import { watchService } from './watch/service.ts';
import type { WatchChangesDeps } from './watch/watch-changes.ts';

/** Assembled by `start.ts`; each handler sees no more of it than it declares. */
export type ServerServicesDeps = Pick<
  Registry,
  'entries' | 'agents' | 'bundles' | 'relationships'
> &
  Pick<AttestAgentDeps, 'nodeAttestors' | 'agentSpiffeIdAsSelector'> &
  Pick<CreateJoinTokenDeps, 'joinTokens' | 'clock' | 'newUuid'> &
  Pick<JwtSvidDeps, 'jwtSvidsDisabled'> &
  Pick<MintWitSvidDeps, 'witSvidsEnabled'> &
  Pick<IsServingDeps, 'storedBundles'> &
  Pick<GetInfoDeps, 'ownChain' | 'startedAt'> &
  WatchChangesDeps &
  LocalAuthorityDeps &
  PublishJwtAuthorityDeps & {
    readonly issuer: Issuer;
    readonly trustDomain: TrustDomainName;
    readonly logLevels: LevelControl;
    readonly bundleManager: BundleManager;
  };

export type ServerServices = {
  /** For callers from the network. */
  readonly tcp: readonly BoundService<Call>[];
  /** For callers of this machine: those of the network, and what concerns this process alone. */
  readonly local: readonly BoundService<Call>[];
};

/** The server API, each method with its handler (`reference/server.md` §5.3). */
export function serverServices(deps: ServerServicesDeps): ServerServices {
  const tcp = [
    agentService(deps),
    bundleService(deps),
    entryService(deps),
    svidService(deps),
    watchService(deps),
    trustDomainService(deps),
    localAuthorityService(deps),
  ];
  const health = healthService<Call>((call) => isServing(deps, call));
  return { tcp, local: [...tcp, loggerService(deps), debugService(deps), health] };
}

const agentService = (deps: ServerServicesDeps) =>
  implement<typeof Agent, Call>(Agent, {
    countAgents: (request, call) => countAgents(deps, request, call),
    listAgents: (request, call) => listAgents(deps, request, call),
    getAgent: (request, call) => getAgent(deps, request, call),
    deleteAgent: (request, call) => deleteAgent(deps, request, call),
    banAgent: (request, call) => banAgent(deps, request, call),
    attestAgent: (requests, call) => attestAgent(deps, requests, call),
    renewAgent: (request, call) => renewAgent(deps, request, call),
    createJoinToken: (request, call) => createJoinToken(deps, request, call),
    postStatus: (request, call) => postStatus(deps, request, call),
  });

const bundleService = (deps: ServerServicesDeps) =>
  implement<typeof Bundle, Call>(Bundle, {
    countBundles: () => countBundles(deps),
    getBundle: (request, call) => getBundle(deps, request, call),
    appendBundle: (request, call) => appendBundle(deps, request, call),
    publishJWTAuthority: (request, call) => publishJwtAuthority(deps, request, call),
    publishWITAuthority: unimplemented(WIT_MISSING),
    listFederatedBundles: (request, call) => listFederatedBundles(deps, request, call),
    getFederatedBundle: (request, call) => getFederatedBundle(deps, request, call),
    batchCreateFederatedBundle: (request, call) => batchCreateFederatedBundle(deps, request, call),
    batchUpdateFederatedBundle: (request, call) => batchUpdateFederatedBundle(deps, request, call),
    batchSetFederatedBundle: (request, call) => batchSetFederatedBundle(deps, request, call),
    batchDeleteFederatedBundle: (request, call) => batchDeleteFederatedBundle(deps, request, call),
  });

const entryService = (deps: ServerServicesDeps) =>
  implement<typeof Entry, Call>(Entry, {
    countEntries: (request, call) => countEntries(deps, request, call),
    listEntries: (request, call) => listEntries(deps, request, call),
    getEntry: (request, call) => getEntry(deps, request, call),
    batchCreateEntry: (request, call) => batchCreateEntry(deps, request, call),
    batchUpdateEntry: (request, call) => batchUpdateEntry(deps, request, call),
    batchDeleteEntry: (request, call) => batchDeleteEntry(deps, request, call),
    getAuthorizedEntries: (request, call) => getAuthorizedEntries(deps, request, call),
    syncAuthorizedEntries: (requests, call) => syncAuthorizedEntries(deps, requests, call),
  });

const svidService = (deps: ServerServicesDeps) =>
  implement<typeof SVID, Call>(SVID, {
    mintX509SVID: (request, call) => mintX509Svid(deps, request, call),
    mintJWTSVID: (request, call) => mintJwtSvid(deps, request, call),
    mintWITSVID: (request, call) => mintWitSvid(deps, request, call),
    batchNewX509SVID: (request, call) => batchNewX509Svid(deps, request, call),
    newJWTSVID: (request, call) => newJwtSvid(deps, request, call),
    batchNewWITSVID: (request, call) => batchNewWitSvid(deps, request, call),
    newDownstreamX509CA: (request, call) => newDownstreamX509Ca(deps, request, call),
  });

const loggerService = (deps: ServerServicesDeps) =>
  implement<typeof Logger, Call>(Logger, {
    getLogger: (_, call) => getLogger(deps, call),
    setLogLevel: (request, call) => setLogLevel(deps, request, call),
    resetLogLevel: (_, call) => resetLogLevel(deps, call),
  });

const debugService = (deps: ServerServicesDeps) =>
  implement<typeof Debug, Call>(Debug, { getInfo: createGetInfo(deps) });

const trustDomainService = (deps: ServerServicesDeps) =>
  implement<typeof TrustDomain, Call>(TrustDomain, {
    listFederationRelationships: (request, call) =>
      listFederationRelationships(deps, request, call),
    getFederationRelationship: (request, call) => getFederationRelationship(deps, request, call),
    batchCreateFederationRelationship: (request, call) =>
      batchCreateFederationRelationship(deps, request, call),
    batchUpdateFederationRelationship: (request, call) =>
      batchUpdateFederationRelationship(deps, request, call),
    batchDeleteFederationRelationship: (request, call) =>
      batchDeleteFederationRelationship(deps, request, call),
    refreshBundle: (request, call) => refreshBundle(deps, request, call),
  });

/** SPIRE's answer, whatever its feature flags say. */
const WIT_MISSING = 'WIT-SVID functionality is not yet implemented';
