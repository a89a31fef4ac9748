import type { Metrics } from '../../ops/metrics.ts';
import { startCall } from '../../ops/metrics-call.ts';
import { methodMetricKey } from '../../rpc/metric-key.ts';

type Keys = { readonly rpc: readonly string[]; readonly rateLimit: readonly string[] };

/** The call counters of the API's methods (`reference/server.md` §12). What they return ends the call. */
export interface MethodMetrics {
  startRpc(method: string): (thrown?: unknown) => void;
  startRateLimit(method: string): (thrown?: unknown) => void;
}

export function createMethodMetrics(metrics: Metrics): MethodMetrics {
  const keys = new Map<string, Keys>();
  // Methods that nobody serves never come here, so that there are no more than the API has.
  const keysOf = (method: string): Keys => {
    let known = keys.get(method);
    if (known === undefined) {
      const key = methodMetricKey(method, shortName);
      known = { rpc: ['rpc', ...key], rateLimit: ['rateLimit', ...key] };
      keys.set(method, known);
    }
    return known;
  };
  return {
    startRpc: (method) => startCall(metrics, keysOf(method).rpc),
    startRateLimit: (method) => startCall(metrics, keysOf(method).rateLimit),
  };
}

const shortName = (service: string): string =>
  service === 'grpc.health.v1.Health' ? 'Health' : service.replace(/^spire\.api\.server\./, '');
