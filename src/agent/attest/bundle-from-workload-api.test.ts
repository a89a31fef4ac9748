import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { temporaryFolder } from '../../../test/kit/temp-dir.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import { createRpcServer } from '../../rpc/serve.ts';
import { listenUnix } from '../../rpc/unix-socket.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { SpiffeWorkloadAPI } from '../../wire/gen/spiffe/workload/workload_pb.ts';
import { bundleFromWorkloadApi } from './bundle-from-workload-api.ts';

const trustDomain = TrustDomain.parse('boot.test');
const lifetime = { notBefore: 1_700_000_000, notAfter: 2_000_000_000 };
const { signal } = new AbortController();
let ca: TestCa;

before(async () => {
  ca = await TestCa.create(trustDomain, lifetime);
});

/** A Workload API that gives these bundles to whoever shows that it is no browser. */
async function workloadApi(bundles: Record<string, Uint8Array> | Fault) {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'api.sock');
  const [method] = SpiffeWorkloadAPI.methods.filter(({ name }) => name === 'FetchX509Bundles');
  assert.ok(method);
  const rpc = createRpcServer<undefined, undefined>({
    services: [
      {
        desc: SpiffeWorkloadAPI,
        methods: [
          {
            desc: method,
            handle: async function* () {
              if (bundles instanceof Fault) throw bundles;
              yield { bundles };
            },
          },
        ],
      },
    ],
    intercept: async (call, proceed) => {
      assert.deepEqual(call.header('workload.spiffe.io'), ['true']);
      await proceed(undefined);
    },
    log: silentLog,
  });
  const server = await listenUnix(path, {
    mode: 0o777,
    directoryMode: 0o755,
    onConnection: (socket) => {
      rpc.inject(socket, undefined);
    },
  });
  return {
    address: `unix://${path}`,
    async [Symbol.asyncDispose]() {
      await rpc[Symbol.asyncDispose]();
      server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('the bundle of the own trust domain is taken, whatever else there is', async () => {
  const { der } = ca.certificate;
  await using api = await workloadApi({
    'spiffe://boot.test': Buffer.concat([der, der]),
    'spiffe://other.test': Uint8Array.of(1),
  });
  const bundle = await bundleFromWorkloadApi(api.address, trustDomain, signal);
  assert.deepEqual(
    bundle.x509Authorities.map((authority) => Buffer.compare(authority.der, der)),
    [0, 0],
  );
  assert.equal(bundle.trustDomain.name, 'boot.test');
});

describe('in words of SPIRE it is told that', () => {
  const refusals: readonly [
    why: string,
    bundles: Record<string, Uint8Array> | Fault,
    message: RegExp,
  ][] = [
    [
      'it is not given one',
      new Fault('denied', 'no identity issued'),
      /^unable to fetch trust bundle from SPIFFE Workload API unix:\/\/\S+: rpc error: code = PermissionDenied desc = no identity issued$/,
    ],
    [
      'there is none of this trust domain',
      { 'spiffe://other.test': Uint8Array.of(1) },
      /^SPIFFE Workload API unix:\/\/\S+ did not provide a trust bundle for trust domain "boot\.test": /,
    ],
    [
      'it has no authorities',
      { 'spiffe://boot.test': new Uint8Array() },
      /did not provide a trust bundle for trust domain "boot\.test": /,
    ],
    [
      'it is no bundle',
      { 'spiffe://boot.test': Uint8Array.of(1, 2, 3) },
      /did not provide a trust bundle for trust domain "boot\.test": x509: /,
    ],
  ];
  for (const [why, bundles, message] of refusals) {
    test(why, async () => {
      await using api = await workloadApi(bundles);
      await assert.rejects(bundleFromWorkloadApi(api.address, trustDomain, signal), { message });
    });
  }

  test('nobody answers', async () => {
    const address = 'unix:///nowhere/api.sock';
    await assert.rejects(bundleFromWorkloadApi(address, trustDomain, signal), {
      kind: 'unavailable',
      message:
        /^unable to fetch trust bundle from SPIFFE Workload API unix:\/\/\/nowhere\/api\.sock: /,
    });
  });
});

test('who does not want to wait any more is told so', async () => {
  const leaving = new AbortController();
  leaving.abort(new Error('stopped'));
  const fetching = bundleFromWorkloadApi('unix:///nowhere/api.sock', trustDomain, leaving.signal);
  await assert.rejects(fetching, { message: 'stopped' });
});
