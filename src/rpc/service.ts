import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';

/** A message that is already serialised; sent as it is. */
export class Encoded {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export const encoded = (bytes: Uint8Array): Encoded => new Encoded(bytes);

/** What a handler may answer with: the message, what it is made of, or its bytes. */
export type Answer<O extends DescMessage> = MessageInitShape<O> | Encoded;

/** One method as a function from requests to answers. `Context` is what the interceptor made of the call. */
export type Handler<M extends DescMethod, Context> = M extends {
  methodKind: 'unary';
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? (request: MessageShape<I>, context: Context) => Promise<Answer<O>>
  : M extends {
        methodKind: 'server_streaming';
        input: infer I extends DescMessage;
        output: infer O extends DescMessage;
      }
    ? (request: MessageShape<I>, context: Context) => AsyncIterable<Answer<O>>
    : M extends {
          methodKind: 'client_streaming';
          input: infer I extends DescMessage;
          output: infer O extends DescMessage;
        }
      ? (requests: AsyncIterable<MessageShape<I>>, context: Context) => Promise<Answer<O>>
      : M extends {
            methodKind: 'bidi_streaming';
            input: infer I extends DescMessage;
            output: infer O extends DescMessage;
          }
        ? (requests: AsyncIterable<MessageShape<I>>, context: Context) => AsyncIterable<Answer<O>>
        : never;

export type Implementation<S extends DescService, Context> = {
  readonly [K in keyof S['method']]: Handler<S['method'][K], Context>;
};

export type BoundMethod<Context> = {
  readonly desc: DescMethod;
  /** A `Handler` whose message types are known to `desc` only. */
  readonly handle: (request: unknown, context: Context) => unknown;
};

export type BoundService<Context> = {
  readonly desc: DescService;
  readonly methods: readonly BoundMethod<Context>[];
};

/** Binds handlers to their service's methods. A method without handler does not compile. */
export function implement<S extends DescService, Context>(
  service: S,
  implementation: Implementation<S, Context>,
): BoundService<Context> {
  const handlers = implementation as Record<string, BoundMethod<Context>['handle']>;
  return {
    desc: service,
    methods: service.methods.map((desc) => {
      const handle = handlers[desc.localName];
      if (handle === undefined) throw new TypeError(`no handler for ${methodPath(desc)}`);
      return { desc, handle: (request, context) => handle(request, context) };
    }),
  };
}

/** `/package.Service/Method`, as it stands in a request. */
export const methodPath = (method: DescMethod): string =>
  `/${method.parent.typeName}/${method.name}`;

export const serializer =
  (schema: DescMessage) =>
  (value: MessageInitShape<DescMessage> | Encoded): Buffer => {
    const bytes = value instanceof Encoded ? value.bytes : toBinary(schema, create(schema, value));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };

export const deserializer = (schema: DescMessage) => (bytes: Uint8Array) =>
  fromBinary(schema, bytes);
