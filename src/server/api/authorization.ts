import type { DescService } from '@bufbuild/protobuf';
import { Fault, kindOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { methodPath } from '../../rpc/service.ts';
import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { Agent } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Debug } from '../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { Entry } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { LocalAuthority } from '../../wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { Logger } from '../../wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { SVID } from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { TrustDomain } from '../../wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { Watch } from '../../wire/gen/steeple/server/watch/v1/watch_pb.ts';
import type { EntryRegistry } from '../registry/contract.ts';
import { type AgentCheckDeps, checkAgent } from './agent-check.ts';
import type { Caller, Identity, SvidIdentity } from './caller.ts';

/** Who may call a method; what is not named may not. */
export type Permission = {
  readonly anyone?: true;
  readonly local?: true;
  readonly admin?: true;
  readonly downstream?: true;
  readonly agent?: true;
};

const anyone: Permission = { anyone: true };
const local: Permission = { local: true };
const operators: Permission = { local: true, admin: true };
const operatorsAndAgents: Permission = { local: true, admin: true, agent: true };
const agents: Permission = { agent: true };
const downstreams: Permission = { downstream: true };

/** SPIRE's default policy, unless another one is configured (`reference/server.md` §5.5), by the method's path. */
export const permissions: ReadonlyMap<string, Permission> = new Map([
  ...rows(Agent, {
    countAgents: operators,
    listAgents: operators,
    getAgent: operators,
    deleteAgent: operators,
    banAgent: operators,
    createJoinToken: operators,
    attestAgent: anyone,
    renewAgent: agents,
    postStatus: agents,
  }),
  ...rows(Bundle, {
    getBundle: anyone,
    countBundles: operators,
    appendBundle: operators,
    listFederatedBundles: operators,
    getFederatedBundle: operatorsAndAgents,
    batchCreateFederatedBundle: operators,
    batchUpdateFederatedBundle: operators,
    batchSetFederatedBundle: operators,
    batchDeleteFederatedBundle: operators,
    publishJWTAuthority: downstreams,
    publishWITAuthority: downstreams,
  }),
  ...rows(Entry, {
    countEntries: operators,
    listEntries: operators,
    getEntry: operators,
    batchCreateEntry: operators,
    batchUpdateEntry: operators,
    batchDeleteEntry: operators,
    getAuthorizedEntries: agents,
    syncAuthorizedEntries: agents,
  }),
  ...rows(SVID, {
    mintX509SVID: operators,
    mintJWTSVID: operators,
    mintWITSVID: operators,
    batchNewX509SVID: agents,
    newJWTSVID: agents,
    batchNewWITSVID: agents,
    newDownstreamX509CA: downstreams,
  }),
  ...rows(TrustDomain, {
    listFederationRelationships: operators,
    getFederationRelationship: operators,
    batchCreateFederationRelationship: operators,
    batchUpdateFederationRelationship: operators,
    batchDeleteFederationRelationship: operators,
    refreshBundle: operators,
  }),
  ...rows(LocalAuthority, {
    getJWTAuthorityState: operators,
    prepareJWTAuthority: operators,
    activateJWTAuthority: operators,
    taintJWTAuthority: operators,
    revokeJWTAuthority: operators,
    getWITAuthorityState: operators,
    prepareWITAuthority: operators,
    activateWITAuthority: operators,
    taintWITAuthority: operators,
    revokeWITAuthority: operators,
    getX509AuthorityState: operators,
    prepareX509Authority: operators,
    activateX509Authority: operators,
    taintX509Authority: operators,
    taintX509UpstreamAuthority: operators,
    revokeX509Authority: operators,
    revokeX509UpstreamAuthority: operators,
  }),
  ...rows(Logger, { getLogger: local, setLogLevel: local, resetLogLevel: local }),
  ...rows(Debug, { getInfo: local }),
  ...rows(Health, { check: local, list: local, watch: local }),
]);

/** Of services that SPIRE does not have. */
const ownPermissions: ReadonlyMap<string, Permission> = new Map(
  rows(Watch, { watchChanges: agents }),
);

export type AuthorizationDeps = AgentCheckDeps & {
  /** SPIFFE IDs, as text, that are admins by configuration. */
  readonly adminIds: ReadonlySet<string>;
  readonly entries: Pick<EntryRegistry, 'bySpiffeId'>;
};

/**
 * What that caller is let through as: the first rule that fits, in SPIRE's order (`reference/server.md` §5.4).
 * Throws 'denied' with SPIRE's text, and the reason where it is an agent that is turned away.
 */
export async function authorize(
  deps: AuthorizationDeps,
  method: string,
  identity: Identity,
  log: Log,
  permission: Permission | undefined = permissions.get(method) ?? ownPermissions.get(method),
): Promise<Caller> {
  const caller =
    permission &&
    (byTransport(permission, identity) ??
      (identity.kind === 'svid'
        ? (byName(deps, permission, identity) ??
          (await byAttestation(deps, permission, identity, method, log)))
        : undefined));
  if (caller === undefined) throw denied(method);
  return caller;
}

function byTransport(permission: Permission, { kind }: Identity): Caller | undefined {
  if (permission.anyone) return { kind: 'nobody' };
  if (permission.local && kind === 'local') return { kind: 'local' };
  return undefined;
}

function byName(
  { adminIds, entries }: AuthorizationDeps,
  permission: Permission,
  { id }: SvidIdentity,
): Caller | undefined {
  if (permission.admin) {
    if (adminIds.has(id.toString())) return { kind: 'admin', id, via: 'config' };
    if (entries.bySpiffeId(id).some(({ admin }) => admin)) {
      return { kind: 'admin', id, via: 'entries' };
    }
  }
  if (permission.downstream) {
    const downstream = entries.bySpiffeId(id).filter((entry) => entry.downstream);
    if (downstream.length > 0) return { kind: 'downstream', id, entries: downstream };
  }
  return undefined;
}

async function byAttestation(
  deps: AuthorizationDeps,
  permission: Permission,
  identity: SvidIdentity,
  method: string,
  log: Log,
): Promise<Caller | undefined> {
  if (!permission.agent) return undefined;
  try {
    return { kind: 'agent', id: identity.id, agent: await checkAgent(deps, identity, log) };
  } catch (error) {
    throw kindOf(error) === 'denied' ? denied(method, error) : error;
  }
}

/** The same words whatever was missing; an agent finds out more from the reason alone. */
function denied(method: string, cause?: unknown): Fault {
  const denial = cause instanceof Fault ? cause.denial : undefined;
  return new Fault('denied', `authorization denied for method ${method}`, {
    ...(denial !== undefined && { denial }),
  });
}

/** A method without a row does not compile. */
function rows<S extends DescService>(
  service: S,
  table: { readonly [method in keyof S['method']]: Permission },
): [method: string, permission: Permission][] {
  const byMethod: Record<string, Permission> = table;
  return service.methods.flatMap((method) => {
    const permission = byMethod[method.localName];
    return permission === undefined ? [] : [[methodPath(method), permission]];
  });
}
