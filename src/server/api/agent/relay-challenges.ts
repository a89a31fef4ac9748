import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault, wrapFault } from '../../../base/fault.ts';
import type {
  NodeAttestation,
  ServerNodeAttestor,
} from '../../../plugins/node-attestor/contract.ts';
import type {
  AttestAgentRequest,
  AttestAgentResponseSchema,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { Call } from '../call.ts';

type Request = Pick<AttestAgentRequest, 'step'>;
type Response = MessageInitShape<typeof AttestAgentResponseSchema>;
type Question = {
  readonly bytes: Uint8Array;
  readonly answer: (response: Uint8Array) => void;
};

/**
 * Runs an attestor, whose questions become messages of the stream and the agent's messages its answers. Leaving early,
 * for whatever reason, aborts the attestor. Throws what the attestor throws.
 */
export async function* relayChallenges(
  attestor: Pick<ServerNodeAttestor, 'attest'>,
  payload: Uint8Array,
  read: () => Promise<Request | undefined>,
  call: Pick<Call, 'signal' | 'clientIp'>,
): AsyncGenerator<Response, NodeAttestation, undefined> {
  const { signal: callSignal, clientIp } = call;
  const left = new AbortController();
  const signal = AbortSignal.any([callSignal, left.signal]);
  let asked = Promise.withResolvers<Question>();
  const challenge = (bytes: Uint8Array) => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    asked.resolve({ bytes, answer: resolve });
    return promise;
  };
  const attested = attestor.attest(payload, { challenge, clientIp, signal });
  // Heard where it is raced; where we leave before, nobody wants to know any more.
  attested.catch(() => {});
  const over = aborted(callSignal);
  try {
    while (true) {
      const next = await Promise.race([asked.promise, attested, over.promise]);
      if (!('bytes' in next)) return next;
      asked = Promise.withResolvers();
      yield { step: { case: 'challenge', value: next.bytes } };
      next.answer(await readResponse(read));
    }
  } finally {
    over.forget();
    left.abort(new Fault('canceled', 'the attestation is over'));
  }
}

/** A message without an answer counts as an empty one. */
async function readResponse(read: () => Promise<Request | undefined>): Promise<Uint8Array> {
  const failed = 'failed to receive challenge from agent';
  const request = await read().catch((error: unknown) => {
    throw wrapFault(failed, error, 'internal');
  });
  if (request === undefined) throw new Fault('internal', `${failed}: EOF`);
  return request.step.case === 'challengeResponse' ? request.step.value : new Uint8Array();
}

/** Rejects when the call ends, so that an attestor which does not heed its signal holds nobody up. */
function aborted(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const listener = () => {
    reject(signal.reason as Error);
  };
  if (signal.aborted) listener();
  signal.addEventListener('abort', listener, { once: true });
  return {
    promise,
    forget: () => {
      signal.removeEventListener('abort', listener);
    },
  };
}
