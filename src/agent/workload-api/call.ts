import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Interceptor, RpcCall } from '../../rpc/serve.ts';
import type { Peer } from '../endpoint/peer.ts';
import type { RateLimits } from '../endpoint/rate-limits.ts';
import { Turns } from '../endpoint/turns.ts';
import type { AttestWorkload } from '../endpoint/workload-attestation.ts';

/** One call to the public socket, as its handler sees it. */
export type WorkloadCall = {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The agent asks itself, to know its health. */
  readonly isOwn: boolean;
  /**
   * The caller's selectors, found out for this call, while it was verifiably the process that connected. Throws
   * 'unavailable' if that fails, or if these selectors have asked too often.
   */
  attest(): Promise<ReadonlySet<string>>;
};

export type CallDeps = {
  readonly attest: AttestWorkload;
  /** Counts calls once it is known who makes them; the agent's own go free. */
  readonly rateLimits?: RateLimits;
  readonly ownPid: number;
  readonly log: Log;
};

/** Every call of the Workload API must carry this header once, so that no browser can be tricked into one (E-3). */
const SECURITY_HEADER = 'workload.spiffe.io';
const WORKLOAD_API = '/SpiffeWorkloadAPI/';

/**
 * So many attestations of one user run at once, the others wait: each holds files open and threads busy, and whoever
 * can run a program can ask on as many streams as it likes, and give them up again. More would be no faster.
 */
const MAX_ATTESTATIONS_PER_USER = 256;

export function workloadCalls(deps: CallDeps): Interceptor<Peer, WorkloadCall> {
  const turns = new Turns(MAX_ATTESTATIONS_PER_USER);
  return async (call, proceed) => {
    if (call.method.startsWith(WORKLOAD_API)) checkSecurityHeader(call);
    const attestInTurn: AttestWorkload = (pid, signal) =>
      turns.run(call.peer.uid, () => deps.attest(pid, signal), signal);
    await proceed(workloadCall({ ...deps, attest: attestInTurn }, call));
  };
}

function checkSecurityHeader(call: RpcCall<Peer>): void {
  const values = call.header(SECURITY_HEADER);
  if (values.length !== 1 || values[0] !== 'true') {
    throw new Fault('invalid', 'security header missing from request');
  }
}

type CallOf = Pick<RpcCall<Peer>, 'method' | 'signal'> & {
  readonly peer: Pick<Peer, 'pid' | 'checkAlive'>;
};

export function workloadCall(deps: CallDeps, call: CallOf): WorkloadCall {
  const { method, peer } = call;
  const log = deps.log.child({ ...logFields(method), pid: peer.pid });
  return {
    log,
    isOwn: peer.pid === deps.ownPid,
    get signal() {
      return call.signal;
    },
    async attest() {
      const selectors = await attest(deps, call, log);
      if (peer.pid !== deps.ownPid) deps.rateLimits?.take(method, selectors);
      return selectors;
    },
  };
}

async function attest(deps: CallDeps, { peer, signal }: CallOf, log: Log) {
  try {
    const selectors = await deps.attest(peer.pid, signal);
    // After attestation, so that what was looked at is known to have been the caller.
    await peer.checkAlive().catch((error: unknown) => {
      throw new Fault(
        'unauthenticated',
        `could not verify existence of the original caller: ${(error as Error).message}`,
        { cause: error },
      );
    });
    return selectors;
  } catch (error) {
    log.error('Workload attestation failed', { error: error as Error });
    if (signal.aborted) throw signal.reason;
    throw new Fault('unavailable', 'workload attestation failed', { cause: error });
  }
}

/** The names under which services appear in the log. */
const services: Readonly<Record<string, string>> = {
  SpiffeWorkloadAPI: 'WorkloadAPI',
  'envoy.service.secret.v3.SecretDiscoveryService': 'SDS.v3',
  'grpc.health.v1.Health': 'Health',
  'spire.agent.debug.v1.Debug': 'Debug',
  'spire.api.agent.delegatedidentity.v1.DelegatedIdentity': 'DelegatedIdentity',
  'spire.api.agent.logger.v1.Logger': 'Logger',
  'steeple.agent.explain.v1.Explain': 'Explain',
};

function logFields(method: string) {
  const [, service = '', name = ''] = method.split('/');
  return { service: services[service] ?? service, method: name };
}
