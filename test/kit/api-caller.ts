import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Fault } from '../../src/base/fault.ts';
import type { Interceptor } from '../../src/rpc/serve.ts';
import { type BoundService, Encoded, methodPath } from '../../src/rpc/service.ts';
import type { Call } from '../../src/server/api/call.ts';
import type { ServerServices } from '../../src/server/api/services.ts';
import type { Peer } from '../../src/server/endpoints/peer.ts';

/**
 * Calls a method as a listener would after reading one request from that peer, without sockets: what is not
 * registered is unknown, the rest goes through the interceptor. Resolves with the answers; rejects with the refusal.
 */
export async function callAs(
  peer: Peer,
  method: string,
  { services, intercept }: { services: ServerServices; intercept: Interceptor<Peer, Call> },
): Promise<unknown[]> {
  const { desc, handle } = boundMethod(services[peer.kind], method);
  const request = create(desc.input, {});
  const answers: unknown[] = [];
  await intercept(
    {
      method,
      peer,
      signal: new AbortController().signal,
      deadline: Number.POSITIVE_INFINITY,
      header: () => [],
    },
    async (call) => {
      const streams = desc.methodKind === 'bidi_streaming';
      const outcome = handle(streams ? oneOf(request) : request, call);
      if (desc.methodKind === 'unary') answers.push(sent(desc.output, await outcome));
      else {
        for await (const answer of outcome as AsyncIterable<unknown>) {
          answers.push(sent(desc.output, answer));
        }
      }
    },
  );
  return answers;
}

function boundMethod(services: readonly BoundService<Call>[], method: string) {
  const [, name = ''] = method.split('/');
  const service = services.find(({ desc }) => desc.typeName === name);
  if (service === undefined) throw new Fault('unimplemented', `unknown service ${name}`);
  const bound = service.methods.find(({ desc }) => methodPath(desc) === method);
  if (bound === undefined) throw new Fault('unimplemented', `unknown method ${method}`);
  return bound;
}

async function* oneOf<T>(message: T) {
  yield message;
}

/** What the caller would read. */
function sent(schema: DescMessage, answer: unknown) {
  const bytes =
    answer instanceof Encoded
      ? answer.bytes
      : toBinary(schema, create(schema, answer as Record<string, unknown>));
  return fromBinary(schema, bytes);
}
