import type { Clock } from '../../base/clock.ts';
import { Fault, kindOf, reasonOf } from '../../base/fault.ts';
import type { Log, LogFields, LogValue } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { Interceptor, RpcCall } from '../../rpc/serve.ts';
import { methodPath } from '../../rpc/service.ts';
import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { Debug } from '../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import type { Peer } from '../endpoints/peer.ts';
import type { Policy } from '../policy/open-policy.ts';
import { type AuditRecord, createAuditRecord, noAuditRecord } from './audit-record.ts';
import { type AuthorizationDeps, authorize, type Permission } from './authorization.ts';
import type { Call } from './call.ts';
import {
  authorizationFields,
  type Caller,
  type Identity,
  identify,
  identityFields,
  sourceText,
} from './caller.ts';
import { createMethodMetrics, type MethodMetrics } from './method-metrics.ts';
import type { RateLimits } from './rate-limits.ts';
import { logRefusal } from './refusal.ts';

export type InterceptorDeps = AuthorizationDeps & {
  readonly clock: Clock;
  readonly log: Log;
  readonly rateLimits: RateLimits;
  /** What decides in place of SPIRE's default policy, where that is configured. */
  readonly policy?: Policy | undefined;
  readonly metrics: Metrics;
  readonly auditLogEnabled: boolean;
  /** A new UUID for each call. */
  readonly newRequestId: () => string;
  /** The program of a local caller, undefined where it may not be read. Asked only for the audit log. */
  readonly programOf: (pid: number) => Promise<string | undefined>;
};

/** Calls of monitors, often and boring: only their errors are audited (`reference/server.md` §14.9). */
const quietMethods: ReadonlySet<string> = new Set([
  methodPath(Health.method.check),
  methodPath(Debug.method.getInfo),
]);

/** What goes around every call: count, identify, authorise, limit, audit, log (`reference/server.md` §5.4). */
export function createInterceptor(deps: InterceptorDeps): Interceptor<Peer, Call> {
  const counts = createMethodMetrics(deps.metrics);
  const answer: Interceptor<Peer, Call> = async (rpc, proceed) => {
    const { identity, caller, log } = await authenticate(deps, rpc);
    const record = await auditRecord(deps, rpc.method, identity, log);
    const audited: Record<string, LogValue> = {};
    const call: Call = {
      caller,
      address: identity.kind === 'local' ? '' : sourceText(identity.source),
      clientIp: identity.kind === 'local' ? undefined : identity.source.address,
      log,
      get signal() {
        return rpc.signal;
      },
      audit: (fields) => {
        record.add(fields);
        Object.assign(audited, fields);
      },
      auditItems: () => record.items(),
      rateLimit: (count) => rateLimit({ ...deps, counts }, rpc, identity, count),
    };
    try {
      await proceed(call);
      record.succeeded();
    } catch (error) {
      logRefusal(log, error, audited);
      record.failed(
        error instanceof Fault
          ? error
          : new Fault(kindOf(error), reasonOf(error), { cause: error }),
      );
      throw error;
    }
  };
  return async (rpc, proceed) => {
    const end = counts.startRpc(rpc.method);
    try {
      await answer(rpc, proceed);
      end();
    } catch (error) {
      end(error);
      throw error;
    }
  };
}

type Authenticated = { readonly identity: Identity; readonly caller: Caller; readonly log: Log };

/** Who calls, and what they are let through as, with a log that says so. Refusals are logged, not audited. */
async function authenticate(deps: InterceptorDeps, rpc: RpcCall<Peer>): Promise<Authenticated> {
  let log = deps.log.child({ subsystem_name: 'api', ...methodFields(rpc.method) });
  try {
    const identity = identify(rpc.peer);
    log = log.child({ ...identityFields(identity), request_id: deps.newRequestId() });
    const permission = await permissionFor(deps, rpc, identity, log);
    const caller = await authorize(deps, rpc.method, identity, log, permission);
    return { identity, caller, log: log.child(authorizationFields(caller)) };
  } catch (error) {
    log.error('Failed to authenticate caller', { error: reasonOf(error) });
    throw error;
  }
}

/** What the configured policy says of that very call; undefined: the default one counts. Throws 'unknown'. */
async function permissionFor(
  { policy, auditLogEnabled, programOf }: InterceptorDeps,
  { method, request }: RpcCall<Peer>,
  identity: Identity,
  log: Log,
): Promise<Permission | undefined> {
  if (policy === undefined) return undefined;
  const namesProgram = auditLogEnabled && identity.kind === 'local';
  try {
    return policy({
      caller: identity.kind === 'svid' ? identity.id.toString() : '',
      callerFilePath: namesProgram ? await programOf(identity.pid) : undefined,
      fullMethod: method,
      request,
    });
  } catch (error) {
    log.error('Authorization failure from OPA auth', { error: reasonOf(error) });
    throw error;
  }
}

/** Of these SPIRE's lines show the bare name. */
const SHORT_NAMES = /^(?:grpc\.health\.v1|spire\.api\.server\.logger\.v1)\./;

/** `/spire.api.server.agent.v1.Agent/BanAgent` is service `agent.v1.Agent`, method `BanAgent`. */
function methodFields(method: string): LogFields {
  const [, service = '', name = ''] = method.split('/');
  return {
    service: service.replace(SHORT_NAMES, '').replace(/^spire\.api\.server\./, ''),
    method: name,
  };
}

async function auditRecord(
  { auditLogEnabled, programOf }: InterceptorDeps,
  method: string,
  identity: Identity,
  log: Log,
): Promise<AuditRecord> {
  if (!auditLogEnabled) return noAuditRecord;
  const ofSuccess = !quietMethods.has(method);
  if (identity.kind !== 'local') return createAuditRecord(log, { ofSuccess });
  const fields = {
    caller_uid: identity.uid,
    caller_gid: identity.gid,
    caller_path: await programOf(identity.pid),
  };
  return createAuditRecord(log.child(fields), { ofSuccess });
}

type RateLimitDeps = Pick<InterceptorDeps, 'rateLimits'> & { readonly counts: MethodMetrics };

/** Callers of this machine are never limited (`reference/server.md` §5.6). */
async function rateLimit(
  { rateLimits, counts }: RateLimitDeps,
  rpc: RpcCall<Peer>,
  identity: Identity,
  count: number,
): Promise<void> {
  if (identity.kind === 'local') return;
  const { method, deadline, signal } = rpc;
  const end = counts.startRateLimit(method);
  try {
    await rateLimits.take({ method, address: identity.source.address, deadline, signal }, count);
    end();
  } catch (error) {
    end(error);
    throw error;
  }
}
