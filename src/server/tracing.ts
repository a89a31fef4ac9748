import {
  noTracer,
  parseTraceparent,
  type SpanContext,
  TRACE_HEADER,
  type Tracer,
} from '../ops/tracing.ts';
import type { RpcCall } from '../rpc/serve.ts';
import type { Issuer } from './ca/contract.ts';
import type { Peer } from './endpoints/peer.ts';

/** Calls without an end, and those of monitors. */
const UNTRACED = /\/(?:WatchChanges|Watch|Check)$|^\/grpc\.reflection\./;

export const isTracedByServer = (method: string): boolean => !UNTRACED.test(method);

/** Whose word on what a call is part of, and on whether to record it, is taken: not a stranger's. */
export function traceParentOf(call: RpcCall<Peer>): SpanContext | undefined {
  const { peer } = call;
  if (peer.kind !== 'local' && peer.id === undefined) return undefined;
  const [value, ...others] = call.header(TRACE_HEADER);
  return value === undefined || others.length > 0 ? undefined : parseTraceparent(value);
}

/** The same issuer, each signature in a span. */
export function tracedIssuer(issuer: Issuer, tracer: Tracer): Issuer {
  if (tracer === noTracer) return issuer;
  const sign = <T>(what: string, task: () => Promise<T>) => tracer.span(`sign ${what}`, task);
  return {
    workloadX509Svid: (request) => sign('X509-SVID', () => issuer.workloadX509Svid(request)),
    agentX509Svid: (id, key) => sign('agent X509-SVID', () => issuer.agentX509Svid(id, key)),
    serverX509Svid: (key) => sign('server X509-SVID', () => issuer.serverX509Svid(key)),
    downstreamX509Ca: (request) =>
      sign('downstream X509 CA', () => issuer.downstreamX509Ca(request)),
    workloadJwtSvid: (request) => sign('JWT-SVID', () => issuer.workloadJwtSvid(request)),
    workloadWitSvid: (request) => sign('WIT-SVID', () => issuer.workloadWitSvid(request)),
  };
}
