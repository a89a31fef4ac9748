import {
  formatTraceparent,
  noTracer,
  type SpanAttributes,
  type SpanContext,
  TRACE_HEADER,
  type Tracer,
} from '../ops/tracing.ts';
import type { Interceptor, RpcCall } from './serve.ts';

export type TracedCallsOptions<Peer> = {
  readonly tracer: Tracer;
  /** Whether calls of that method are worth a span. */
  readonly isTraced: (method: string) => boolean;
  /** The span of the caller that a call is part of; undefined: it begins a trace. */
  readonly parentOf: (call: RpcCall<Peer>) => SpanContext | undefined;
};

/** Puts each call into a span. */
export function tracedCalls<Peer, Context>(
  intercept: Interceptor<Peer, Context>,
  { tracer, isTraced, parentOf }: TracedCallsOptions<Peer>,
): Interceptor<Peer, Context> {
  if (tracer === noTracer) return intercept;
  return async (call, proceed) => {
    const { method } = call;
    if (!isTraced(method)) return intercept(call, proceed);
    const parent = parentOf(call);
    const attributes = rpcAttributes(method);
    return tracer.span(method.slice(1), () => intercept(call, proceed), {
      kind: 'server',
      parent,
      attributes,
    });
  };
}

/** The client's end of a call, if it is made for something that is traced; `run` gets the headers to send with it. */
export function traceCall<T>(
  tracer: Tracer,
  method: string,
  run: (headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  if (tracer.current() === undefined) return run({});
  const attributes = rpcAttributes(method);
  return tracer.span(method.slice(1), () => run(traceHeaders(tracer)), {
    kind: 'client',
    attributes,
  });
}

/** The header that names the span that the caller is in. */
export function traceHeaders(tracer: Tracer): Readonly<Record<string, string>> {
  const current = tracer.current();
  return current === undefined ? {} : { [TRACE_HEADER]: formatTraceparent(current) };
}

function rpcAttributes(path: string): SpanAttributes {
  const [, service = '', method = ''] = path.split('/');
  return { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
}
