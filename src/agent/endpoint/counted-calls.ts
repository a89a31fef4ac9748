import { type Metrics, noMetrics } from '../../ops/metrics.ts';
import { startCall } from '../../ops/metrics-call.ts';
import { methodMetricKey } from '../../rpc/metric-key.ts';
import type { Interceptor } from '../../rpc/serve.ts';

/** What services are called in metrics: a part of the key, and what their calls at one time count as. */
const services: Readonly<Record<string, { readonly name: string; readonly api?: string }>> = {
  SpiffeWorkloadAPI: { name: 'WorkloadAPI', api: 'workload_api' },
  'envoy.service.secret.v3.SecretDiscoveryService': { name: 'SDS.v3', api: 'sds_api' },
  'grpc.health.v1.Health': { name: 'Health' },
  'spire.agent.debug.v1.Debug': { name: 'Debug', api: 'debug_api' },
  'spire.api.agent.delegatedidentity.v1.DelegatedIdentity': {
    name: 'DelegatedIdentity',
    api: 'delegated_identity_api',
  },
  'spire.api.agent.logger.v1.Logger': { name: 'Logger', api: 'logger_api' },
};

/** What SPIRE calls otherwise than by its rule. */
const exceptions: Readonly<Record<string, string>> = {
  subscribe_to_x509svi_ds: 'subscribe_to_x509_svids',
};

/** Counts and times every call, and how many there are at one time (`reference/agent.md` §7). */
export function countedCalls<Peer, Context>(
  intercept: Interceptor<Peer, Context>,
  metrics: Metrics,
): Interceptor<Peer, Context> {
  if (metrics === noMetrics) return intercept;
  const keys = new Map<string, readonly string[]>();
  const keyOf = (method: string): readonly string[] => {
    let key = keys.get(method);
    if (key === undefined) {
      const parts = methodMetricKey(method, (service) => services[service]?.name ?? service);
      key = ['rpc', ...parts.map((part) => exceptions[part] ?? part)];
      keys.set(method, key);
    }
    return key;
  };
  const running = new Map<string, number>();
  const count = (api: string | undefined, change: 1 | -1): void => {
    if (api === undefined) return;
    const now = (running.get(api) ?? 0) + change;
    running.set(api, now);
    if (change === 1) metrics.counter([api, 'connection'], 1);
    metrics.gauge([api, 'connections'], now);
  };
  return async (call, proceed) => {
    const api = services[call.method.split('/')[1] ?? '']?.api;
    const end = startCall(metrics, keyOf(call.method));
    count(api, 1);
    try {
      await intercept(call, proceed);
      end();
    } catch (error) {
      end(error);
      throw error;
    } finally {
      count(api, -1);
    }
  };
}
