import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { AgentWorld, fakeEntry, fakeTrustDomain } from '../../../test/kit/agent-world.ts';
import { freePort } from '../../../test/kit/programs.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { systemClock, unixSeconds } from '../../base/clock.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { generateKey } from '../../crypto/keys.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { type Channel, dial } from '../../rpc/dial.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { ServerReflection } from '../../wire/gen/grpc/reflection/v1/reflection_pb.ts';
import {
  API,
  KubernetesObjectReferenceSchema,
  WorkloadPIDReferenceSchema,
} from '../../wire/gen/spiffe/broker/api_pb.ts';
import { startBroker } from './start-broker.ts';

const PID_TYPE = 'type.googleapis.com/spiffe.broker.WorkloadPIDReference';
const headers = { 'broker.spiffe.io': 'true' };
const BROKER = 'spiffe://fake.test/broker';

const entries = [
  fakeEntry('1-web', ['unix:uid:1'], {
    hint: 'internal',
    federatesWith: [TrustDomain.parse('b.test')],
  }),
  fakeEntry('2-young', ['unix:uid:1'], { hint: 'internal', createdAt: 9 }),
  fakeEntry('3-admin', ['unix:uid:1'], { admin: true }),
  fakeEntry('4-down', ['unix:uid:1'], { downstream: true }),
];

const pid = (number: number): Any =>
  anyPack(WorkloadPIDReferenceSchema, create(WorkloadPIDReferenceSchema, { pid: number }));

/** The process 1 has the entries; 2 has selectors that match nothing; others cannot be looked at. */
const attest = async (number: number) => {
  if (number === 1) return new Set(['unix:uid:1']);
  if (number === 2) return new Set(['unix:uid:2']);
  throw new Error('no such process');
};

async function place(
  types: readonly (readonly [string, boolean])[] = [[PID_TYPE, true]],
  requirePostQuantum = false,
) {
  const stack = new AsyncDisposableStack();
  const world = stack.use(await AgentWorld.create({ clock: systemClock }));
  world.server.entries = entries;
  world.server.federatedBundles.set('b.test', emptyBundle(TrustDomain.parse('b.test')));
  const core = await world.start({ clock: systemClock });
  const socketPath = join(world.directory, 'broker/api.sock');
  const port = await freePort();
  stack.use(
    await startBroker({
      ...core,
      config: {
        broker: {
          socketPath,
          bindAddress: { host: '127.0.0.1', port },
          brokers: new Map([
            [BROKER, new Map(types.map(([type, allowOverTcp]) => [type, { allowOverTcp }]))],
          ]),
        },
        requirePostQuantum,
      },
      attest,
      clock: systemClock,
      metrics: noMetrics,
      log: silentLog,
    }),
  );
  const lifetime = {
    notBefore: unixSeconds(systemClock) - 10,
    notAfter: unixSeconds(systemClock) + 600,
  };
  const svidOf = async (id: string, ca: TestCa) => {
    const key = await generateKey('ec-p256');
    const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
    const chain = [await ca.workloadSvid(SpiffeId.parse(id), csr, lifetime)];
    return { chain, privateKey: key.toPkcs8() };
  };
  const connect = async (
    over: 'unix' | 'tcp',
    id: string | undefined = BROKER,
    ca = world.server.ca,
  ): Promise<Channel> => {
    const identity = id === 'nobody' ? undefined : await svidOf(id, ca);
    return stack.use(
      dial({
        address: over === 'unix' ? `unix:${socketPath}` : `127.0.0.1:${port}`,
        tls: { identity: () => identity, verify: () => {} },
      }),
    );
  };
  return {
    world,
    core,
    port,
    connect,
    lifetime,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const first = async <T>(answers: AsyncIterable<T>): Promise<T> => {
  for await (const answer of answers) return answer;
  return assert.fail('no answer');
};
const reference = (one: Any) => ({ reference: { reference: one } });

for (const over of ['unix', 'tcp'] as const) {
  test(`a broker has identities of the workload it names, over ${over}`, async () => {
    await using here = await place();
    const api = (await here.connect(over)).client(API);
    const { svids, federatedBundles } = await first(
      api.subscribeToX509SVID(reference(pid(1)), { headers }),
    );
    assert.deepEqual(
      svids.map(({ spiffeId, hint }) => [spiffeId, hint]),
      [['spiffe://fake.test/1-web', 'internal']],
      'neither what the hint rule leaves out, nor admin and downstream',
    );
    assert.ok(svids[0]?.x509SvidKey.length && svids[0].bundle.length);
    assert.deepEqual(Object.keys(federatedBundles), ['spiffe://b.test']);
  });
}

test('a workload without identity: an empty answer, and no token', async () => {
  await using here = await place();
  const api = (await here.connect('unix')).client(API);
  const { svids } = await first(api.subscribeToX509SVID(reference(pid(2)), { headers }));
  assert.deepEqual(svids, []);
  await assert.rejects(api.fetchJWTSVID({ ...reference(pid(2)), audience: ['a'] }, { headers }), {
    kind: 'denied',
    message: 'no identity issued',
  });
});

test('tokens are of all identities that the hint rule leaves', async () => {
  await using here = await place();
  const api = (await here.connect('unix')).client(API);
  const { svids } = await api.fetchJWTSVID(
    { ...reference(pid(1)), audience: ['a'], spiffeId: 'spiffe://fake.test/none' },
    { headers },
  );
  assert.deepEqual(
    svids.map(({ spiffeId }) => spiffeId),
    ['/1-web', '/3-admin', '/4-down'].map((path) => `spiffe://fake.test${path}`),
  );
});

test('bundles are all that the agent holds', async () => {
  await using here = await place();
  const api = (await here.connect('unix')).client(API);
  const expected = ['spiffe://b.test', 'spiffe://fake.test'];
  const x509 = await first(api.subscribeToX509Bundles(reference(pid(2)), { headers }));
  assert.deepEqual(Object.keys(x509.bundles).sort(), expected);
  const jwt = await first(api.subscribeToJWTBundles(reference(pid(2)), { headers }));
  assert.deepEqual(Object.keys(jwt.bundles).sort(), expected);
  assert.deepEqual(JSON.parse(Buffer.from(jwt.bundles['spiffe://b.test'] ?? []).toString()), {
    keys: [],
  });
});

describe('references', () => {
  const kubernetes = anyPack(
    KubernetesObjectReferenceSchema,
    create(KubernetesObjectReferenceSchema, { uid: 'x' }),
  );
  const missing = { kind: 'invalid', message: 'workload reference must be provided' };
  const any: readonly (readonly [string, boolean])[] = [['*', false]];
  const rows: readonly [
    why: string,
    reference: Any | undefined,
    expected: object,
    more?: { types?: typeof any; over?: 'tcp' },
  ][] = [
    ['none', undefined, missing],
    ['one without a type', { ...pid(1), typeUrl: '' }, missing],
    [
      'a type that the broker may not use',
      kubernetes,
      {
        kind: 'denied',
        message: `broker "${BROKER}" is not allowed to use reference type "${kubernetes.typeUrl}"`,
      },
    ],
    [
      'a type that it may not use over TCP',
      pid(1),
      {
        kind: 'denied',
        message: `reference type "${PID_TYPE}" is not allowed over TCP for broker "${BROKER}"`,
      },
      { types: any, over: 'tcp' },
    ],
    [
      'a Kubernetes object',
      kubernetes,
      { kind: 'unimplemented', message: 'no workload attestor handled reference' },
      { types: any },
    ],
    [
      'a type that nobody knows',
      { ...pid(1), typeUrl: 'x/y' },
      { kind: 'unimplemented', message: 'no workload attestor handled reference' },
      { types: any },
    ],
    [
      'a process that is not there',
      pid(3),
      { kind: 'unauthenticated', message: 'workload attestation failed: no such process' },
    ],
    ['the PID 0', pid(0), { kind: 'invalid' }],
    ['a negative PID', pid(-1), { kind: 'invalid' }],
    ['bytes that are no PID', { ...pid(1), value: Uint8Array.of(8) }, { kind: 'invalid' }],
  ];
  for (const [why, one, expected, { types, over = 'unix' } = {}] of rows) {
    test(`refuses ${why}, in every method`, async () => {
      await using here = await place(types);
      const api = (await here.connect(over)).client(API);
      const request = one === undefined ? {} : reference(one);
      await assert.rejects(first(api.subscribeToX509SVID(request, { headers })), expected);
      await assert.rejects(first(api.subscribeToX509Bundles(request, { headers })), expected);
      await assert.rejects(first(api.subscribeToJWTBundles(request, { headers })), expected);
      const audience = ['a'];
      await assert.rejects(api.fetchJWTSVID({ ...request, audience }, { headers }), expected);
    });
  }

  test('an audience is asked for before the reference', async () => {
    await using here = await place();
    const api = (await here.connect('unix')).client(API);
    await assert.rejects(api.fetchJWTSVID({}, { headers }), {
      kind: 'invalid',
      message: 'audience must be specified',
    });
  });
});

describe('who may connect', () => {
  const strangers: readonly [why: string, id: string, foreign: boolean][] = [
    ['who shows no certificate', 'nobody', false],
    ['another workload of the trust domain', 'spiffe://fake.test/web', false],
    ['a certificate for the same ID by an authority that is not known', BROKER, true],
  ];
  for (const [why, id, foreign] of strangers) {
    test(`not ${why}`, async () => {
      await using here = await place();
      const ca = foreign ? await TestCa.create(fakeTrustDomain, here.lifetime) : undefined;
      for (const over of ['unix', 'tcp'] as const) {
        const api = (await here.connect(over, id, ca)).client(API);
        const request = { ...reference(pid(1)), audience: ['a'] };
        await assert.rejects(api.fetchJWTSVID(request, { headers, timeoutMilliseconds: 5000 }), {
          kind: 'unavailable',
        });
      }
    });
  }
});

test('where require_pq_kem is set, keys are agreed on in post-quantum ways only', async () => {
  for (const requirePostQuantum of [false, true]) {
    await using here = await place([[PID_TYPE, true]], requirePostQuantum);
    const { port } = here;
    assert.equal(await shakesHands({ port, ecdhCurve: 'X25519:P-256' }), !requirePostQuantum);
    assert.equal(await shakesHands({ port, ecdhCurve: 'X25519MLKEM768' }), true);
    const api = (await here.connect('tcp')).client(API);
    const { svids } = await first(api.subscribeToX509SVID(reference(pid(1)), { headers }));
    assert.equal(svids.length, 1);
  }
});

/** Whether both ends agree on keys; who the client is plays no part in that. */
async function shakesHands(
  options: Pick<ConnectionOptions, 'port' | 'ecdhCurve'>,
): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', rejectUnauthorized: false, ...options });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('secureConnect', () => {
    resolve(true);
  });
  socket.on('error', () => {});
  socket.once('close', () => {
    resolve(false);
  });
  const agreed = await promise;
  socket.destroy();
  return agreed;
}

test('who connects and says nothing keeps no broker out', async (t) => {
  await using here = await place();
  for (let i = 0; i < 1100; i++) {
    const silent = connectTcp({ host: '127.0.0.1', port: here.port }).on('error', () => {});
    t.after(() => silent.destroy());
    await once(silent, 'connect');
  }
  const api = (await here.connect('tcp')).client(API);
  const { svids } = await first(
    api.subscribeToX509SVID(reference(pid(1)), { headers, timeoutMilliseconds: 5000 }),
  );
  assert.equal(svids.length, 1);
});

describe('the header', () => {
  for (const [why, given] of [
    ['missing', {}],
    ['another value', { 'broker.spiffe.io': 'false' }],
    ["the Workload API's", { 'workload.spiffe.io': 'true' }],
  ] as const) {
    test(why, async () => {
      await using here = await place();
      const api = (await here.connect('unix')).client(API);
      await assert.rejects(api.fetchJWTSVID({ audience: ['a'] }, { headers: given }), {
        kind: 'invalid',
        message: 'security header missing from request',
      });
    });
  }
});

test('reflection is there over the Unix socket, with the header, and refused over TCP before it', async () => {
  await using here = await place();
  async function* list() {
    yield { messageRequest: { case: 'listServices' as const, value: '' } };
  }
  const overUnix = (await here.connect('unix')).client(ServerReflection);
  const { messageResponse } = await first(overUnix.serverReflectionInfo(list(), { headers }));
  assert.equal(messageResponse.case, 'listServicesResponse');
  await assert.rejects(first(overUnix.serverReflectionInfo(list())), {
    message: 'security header missing from request',
  });
  const overTcp = (await here.connect('tcp')).client(ServerReflection);
  await assert.rejects(first(overTcp.serverReflectionInfo(list())), {
    kind: 'denied',
    message: 'server reflection is only available over Unix sockets',
  });
});
