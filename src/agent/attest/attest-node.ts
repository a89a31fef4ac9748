import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import { buildCsr } from '../../crypto/csr.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { ManagedKey } from '../../plugins/key-manager/contract.ts';
import type { AgentAttestation, AgentNodeAttestor } from '../../plugins/node-attestor/contract.ts';
import type { Channel, ClientTls, DialOptions } from '../../rpc/dial.ts';
import { rpcErrorText } from '../../rpc/status.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import {
  Agent as AgentService,
  type AttestAgentRequestSchema,
  type AttestAgentResponse,
  type AttestAgentResponse_Result as Result,
} from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle as BundleService } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { csrSubject } from '../csr-subject.ts';
import { Outbox } from '../server/outbox.ts';
import { rpcFailure } from '../server/rpc-failure.ts';
import { RPC_MILLISECONDS } from '../server/server-connection.ts';
import { bundleFromServer } from '../sync/bundle-from-server.ts';
import { type AgentSvid, agentSvid, chainFromServer } from './agent-svid.ts';

/** SPIRE waits for ever; but nothing else goes on meanwhile, and a server that has gone silent must not stop us. */
const ATTESTATION_MILLISECONDS = 10 * 60_000;

export type AttestNodeDeps = {
  readonly attestor: AgentNodeAttestor;
  /** `host:port`. */
  readonly address: string;
  /** Agrees on keys in no way that a quantum computer could undo. */
  readonly requirePostQuantum: boolean;
  readonly dial: (options: DialOptions) => Channel;
  readonly metrics: Metrics;
  readonly log: Pick<Log, 'warn'>;
};

export type NodeToAttest = {
  readonly key: ManagedKey;
  /** What the server is verified by; undefined: it is not. */
  readonly bundle: Bundle | undefined;
};

/**
 * Attests this node to the server, and takes the trust bundle from it over the same connection, which carries no
 * client certificate (`reference/agent.md` §2.4). Nothing is kept: the caller stores the result.
 */
export const attestNode = (
  deps: AttestNodeDeps,
  node: NodeToAttest,
  verify: ClientTls['verify'],
  signal: AbortSignal,
): Promise<AttestedNode> =>
  timedCall(deps.metrics, NEW_SVID, () => attest(deps, node, verify, signal), {
    attestor: deps.attestor.name,
  });

const NEW_SVID = ['node', 'attestor', 'new_svid'];

export type AttestedNode = { readonly svid: AgentSvid; readonly bundle: Bundle };

async function attest(
  { attestor, address, requirePostQuantum, dial, log }: AttestNodeDeps,
  { key, bundle: known }: NodeToAttest,
  verify: ClientTls['verify'],
  signal: AbortSignal,
): Promise<AttestedNode> {
  const csr = await buildCsr({ subject: csrSubject, uris: [], dnsNames: [] }, key).catch(
    (error: unknown) => {
      throw wrapFault('failed to generate CSR for attestation', error);
    },
  );
  const attestation = await attestor.begin(signal).catch(asStatus);
  // Where anybody is believed, how keys are agreed on makes no difference (§2.3).
  const postQuantumOnly = requirePostQuantum && known !== undefined;
  using channel = dial({ address, tls: { verify, postQuantumOnly } });
  const result = await converse(channel, attestor, attestation, csr, signal);
  const bundle = await fetchBundle(channel, signal).catch((error: unknown) => {
    // What cannot be had again must not be lost with the connection; synchronising brings the bundle.
    if (result.reattestable || known === undefined || signal.aborted) throw error;
    log.warn('Attested, but could not fetch the bundle', { error: error as Error });
    return known;
  });
  try {
    const svid = agentSvid(chainFromServer(result.svid), key, result.reattestable);
    return { svid, bundle };
  } catch (error) {
    throw wrapFault('failed to parse attestation response', error);
  }
}

type Request = MessageInitShape<typeof AttestAgentRequestSchema>;

async function converse(
  channel: Channel,
  attestor: AgentNodeAttestor,
  attestation: AgentAttestation,
  csr: Uint8Array,
  signal: AbortSignal,
): Promise<Result> {
  const outbox = new Outbox<Request>();
  const data = { type: attestor.name, payload: attestation.payload };
  outbox.send({ step: { case: 'params', value: { data, params: { csr } } } });
  const answers = channel.client(AgentService).attestAgent(outbox, {
    signal,
    timeoutMilliseconds: ATTESTATION_MILLISECONDS,
  });
  const reader = answers[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { step } = await nextAnswer(reader);
      switch (step.case) {
        case 'result':
          return step.value;
        case 'challenge': {
          const value = await attestation.answer(step.value).catch(asStatus);
          outbox.send({ step: { case: 'challengeResponse', value } });
          break;
        }
        case undefined:
          throw new Fault('internal', 'failed to parse attestation response: unknown step');
      }
    }
  } finally {
    outbox.close();
    await reader.return?.();
  }
}

/** A plugin's failure is told as the status that it is for SPIRE, even of one that is built in. */
function asStatus(thrown: unknown): never {
  if (!(thrown instanceof Fault)) throw thrown; // we gave it up ourselves
  throw new Fault(thrown.kind, rpcErrorText(thrown), { cause: thrown });
}

async function nextAnswer(
  reader: AsyncIterator<AttestAgentResponse>,
): Promise<AttestAgentResponse> {
  const { done, value } = await reader.next().catch((error: unknown) => {
    const isUnconnected = reasonOf(error).startsWith('connection error: ');
    throw rpcFailure(
      isUnconnected
        ? 'could not open attestation stream to SPIRE server'
        : 'failed to receive attestation response',
      error,
    );
  });
  if (done) throw new Fault('unknown', 'failed to receive attestation response: EOF');
  return value;
}

async function fetchBundle(channel: Channel, signal: AbortSignal): Promise<Bundle> {
  const proto = await channel
    .client(BundleService)
    .getBundle({}, { signal, timeoutMilliseconds: RPC_MILLISECONDS })
    .catch((error: unknown) => {
      throw wrapFault(
        'failed to get updated bundle',
        rpcFailure('failed to get updated bundle', error),
      );
    });
  try {
    return bundleFromServer(proto);
  } catch (error) {
    throw wrapFault('failed to parse trust domain bundle', error);
  }
}
