import { Fault, wrapFault } from '../../../base/fault.ts';
import type { AttestAgentRequest } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';

export type AttestParams = {
  readonly type: string;
  readonly payload: Uint8Array;
  readonly csr: Uint8Array;
};

type Request = Pick<AttestAgentRequest, 'step'>;

/** The stream's first message. Throws 'invalid' with SPIRE's words, checks in its order. */
export async function readAttestParams(
  read: () => Promise<Request | undefined>,
): Promise<AttestParams> {
  const request = await read().catch((error: unknown) => {
    throw wrapFault('failed to receive request from stream', error, 'invalid');
  });
  if (request === undefined) {
    throw new Fault('invalid', 'failed to receive request from stream: EOF');
  }
  return prefixed('malformed param', () => attestParams(request));
}

function attestParams({ step }: Request): AttestParams {
  if (step.case !== 'params') throw new Fault('invalid', 'missing params');
  const { data, params } = step.value;
  if (data === undefined) throw new Fault('invalid', 'missing attestation data');
  if (params === undefined) throw new Fault('invalid', 'missing X509-SVID parameters');
  if (params.csr.length === 0) throw new Fault('invalid', 'missing CSR');
  if (data.type === '') throw new Fault('invalid', 'missing attestation data type');
  if (data.payload.length === 0) throw new Fault('invalid', 'missing attestation data payload');
  return { type: data.type, payload: data.payload, csr: params.csr };
}
