import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Emitted, recordingMetrics, statusesOf } from '../../../test/kit/recording-metrics.ts';
import { Fault } from '../../base/fault.ts';
import { noMetrics } from '../../ops/metrics.ts';
import type { Interceptor, RpcCall } from '../../rpc/serve.ts';
import { countedCalls } from './counted-calls.ts';

const passing: Interceptor<unknown, string> = (_call, proceed) => proceed('context');
const callOf = (method: string) => ({ method }) as RpcCall<unknown>;

/** `reference/agent.md` §7. */
for (const [method, key, api] of [
  ['/SpiffeWorkloadAPI/FetchX509SVID', 'rpc.workload_api.fetch_x509svid', 'workload_api'],
  ['/SpiffeWorkloadAPI/FetchX509Bundles', 'rpc.workload_api.fetch_x509_bundles', 'workload_api'],
  [
    '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
    'rpc.sds.v3.stream_secrets',
    'sds_api',
  ],
  ['/spire.agent.debug.v1.Debug/GetInfo', 'rpc.debug.get_info', 'debug_api'],
  ['/spire.api.agent.logger.v1.Logger/GetLogger', 'rpc.logger.get_logger', 'logger_api'],
  [
    '/spiffe.broker.API/SubscribeToX509SVID',
    'rpc.spiffe.broker.api.subscribe_to_x509svid',
    undefined,
  ],
  [
    '/spire.api.agent.delegatedidentity.v1.DelegatedIdentity/SubscribeToX509SVIDs',
    'rpc.delegated_identity.subscribe_to_x509_svids',
    'delegated_identity_api',
  ],
  [
    '/spire.api.agent.delegatedidentity.v1.DelegatedIdentity/FetchJWTSVIDs',
    'rpc.delegated_identity.fetch_jwtsvi_ds',
    'delegated_identity_api',
  ],
  ['/grpc.health.v1.Health/Check', 'rpc.health.check', undefined],
] as const) {
  test(`${method} counts as ${key}${api === undefined ? '' : `, and for ${api}`}`, async () => {
    const emitted: Emitted[] = [];
    const intercept = countedCalls(passing, recordingMetrics(emitted));
    await intercept(callOf(method), async () => {});
    assert.deepEqual(statusesOf(emitted, key), ['OK']);
    assert.deepEqual(
      emitted.filter(([, name]) => name.includes('connection')),
      api === undefined
        ? []
        : [
            ['counter', `${api}.connection`, 1, {}],
            ['gauge', `${api}.connections`, 1, {}],
            ['gauge', `${api}.connections`, 0, {}],
          ],
    );
  });
}

test('calls at one time are counted together, and those that are refused end too', async () => {
  const emitted: Emitted[] = [];
  const intercept = countedCalls(passing, recordingMetrics(emitted));
  const refusal = new Fault('denied', 'no identity issued');
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const first = intercept(callOf('/SpiffeWorkloadAPI/FetchX509SVID'), () => over);
  await assert.rejects(
    intercept(callOf('/SpiffeWorkloadAPI/FetchJWTSVID'), () => Promise.reject(refusal)),
    refusal,
  );
  resolve();
  await first;
  assert.deepEqual(
    emitted.flatMap(([kind, key, value]) =>
      kind === 'gauge' && key === 'workload_api.connections' ? [value] : [],
    ),
    [1, 2, 1, 0],
  );
  assert.deepEqual(statusesOf(emitted, 'rpc.workload_api.fetch_jwtsvid'), ['PermissionDenied']);
});

test('without metrics nothing stands between', () => {
  assert.equal(countedCalls(passing, noMetrics), passing);
});
