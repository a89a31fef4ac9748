import type { Any } from '@bufbuild/protobuf/wkt';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Interceptor, RpcCall } from '../../rpc/serve.ts';
import type { WorkloadReference } from '../../wire/gen/spiffe/broker/api_pb.ts';
import { checkReference } from './check-reference.ts';
import type { BrokerSettings } from './settings.ts';

/** Who is at the other end of a connection, found out in its TLS handshake. */
export type BrokerPeer = {
  /** Its SPIFFE ID as text; one of those configured. */
  readonly id: string;
  readonly network: 'unix' | 'tcp';
};

/** One call of a broker, as its handler sees it. */
export type BrokerCall = {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The selectors of the workload that the broker names. Throws where it may not, or where there is no such one. */
  resolve(reference: WorkloadReference | undefined): Promise<ReadonlySet<string>>;
};

export type BrokerCallsDeps = {
  readonly brokers: BrokerSettings['brokers'];
  readonly resolve: (reference: Any, signal: AbortSignal) => Promise<ReadonlySet<string>>;
  readonly log: Log;
};

/** Every call must carry this header once (`reference/agent.md` §4.8). */
const SECURITY_HEADER = 'broker.spiffe.io';
const REFLECTION = '/grpc.reflection.';

export const brokerCalls =
  ({ brokers, resolve, log }: BrokerCallsDeps): Interceptor<BrokerPeer, BrokerCall> =>
  async (call, proceed) => {
    const { peer, method } = call;
    if (peer.network === 'tcp' && method.startsWith(REFLECTION)) {
      throw new Fault('denied', 'server reflection is only available over Unix sockets');
    }
    checkSecurityHeader(call);
    const callLog = log.child({ method: method.split('/')[2], broker_peer: peer.id });
    await proceed({
      log: callLog,
      get signal() {
        return call.signal;
      },
      async resolve(reference) {
        const allowed = checkReference(reference?.reference, peer, brokers);
        try {
          return await resolve(allowed, call.signal);
        } catch (error) {
          callLog.error('Workload attestation failed', { error: error as Error });
          throw error;
        }
      },
    });
  };

function checkSecurityHeader(call: RpcCall<BrokerPeer>): void {
  const values = call.header(SECURITY_HEADER);
  if (values.length !== 1 || values[0] !== 'true') {
    throw new Fault('invalid', 'security header missing from request');
  }
}
