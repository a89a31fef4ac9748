import type { DescService } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import type { CallOptions, Channel, Client } from '../../rpc/dial.ts';
import { rpcErrorText } from '../../rpc/status.ts';

/** The services that a command calls, by the names it has for them. */
export type Services = Readonly<Record<string, DescService>>;

/** Their clients, by the same names. A failed call rejects with the text that SPIRE's commands print of it. */
export type Api<S extends Services> = { readonly [K in keyof S]: Client<S[K]> };

/** Clients over one connection. `options` are made anew for each call and come before the call's own. */
export function openApi<S extends Services>(
  channel: Pick<Channel, 'client'>,
  services: S,
  options: () => CallOptions = () => ({}),
): Api<S> {
  return Object.fromEntries(
    Object.entries(services).map(([name, service]) => [
      name,
      wordedClient(channel.client(service), options),
    ]),
  ) as Api<S>;
}

/** The status message of a failed call, without the words around it. */
export const statusMessage = (fault: Fault): string =>
  fault.cause instanceof Fault ? fault.cause.message : fault.message;

type AnyMethod = (
  request: unknown,
  options: CallOptions,
) => Promise<unknown> | AsyncIterable<unknown>;

function wordedClient<S extends DescService>(
  client: Client<S>,
  options: () => CallOptions,
): Client<S> {
  const methods = Object.entries(client as Readonly<Record<string, AnyMethod>>);
  return Object.fromEntries(
    methods.map(([name, method]) => [
      name,
      (request: unknown, own?: CallOptions) => {
        const result = method(request, { ...options(), ...own });
        return result instanceof Promise ? wordedPromise(result) : wordedStream(result);
      },
    ]),
  ) as Client<S>;
}

async function wordedPromise<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw worded(error);
  }
}

async function* wordedStream<T>(answers: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* answers;
  } catch (error) {
    throw worded(error);
  }
}

const worded = (error: unknown): unknown =>
  error instanceof Fault ? new Fault(error.kind, rpcErrorText(error), { cause: error }) : error;
