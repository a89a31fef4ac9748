import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AgentWorld, fakeEntry, fakeTrustDomain } from '../../../test/kit/agent-world.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { unixSeconds } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { readPrivateKey } from '../../crypto/keys.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { noTracer } from '../../ops/tracing.ts';
import { type Channel, dial } from '../../rpc/dial.ts';
import { type Bundle, emptyBundle } from '../../spiffe/bundle.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { SpiffeWorkloadAPI } from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { AgentCore } from '../core.ts';
import { servePublicEndpoint } from '../endpoint/public-endpoint.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { fetchX509Svid } from './fetch-x509-svid.ts';
import { workloadApi } from './service.ts';

const header = { 'workload.spiffe.io': 'true' };
const partner = emptyBundle(TrustDomain.parse('partner.test'));
const entries = [
  fakeEntry('1-web', ['unix:uid:1'], { hint: 'internal', federatesWith: [partner.trustDomain] }),
  fakeEntry('2-db', ['unix:uid:1']),
  fakeEntry('3-other', ['unix:uid:2']),
];

type Api = {
  readonly world: AgentWorld;
  readonly agent: AgentCore;
  /** What the caller is found to be. */
  selectors: string[] | Error;
  readonly client: ReturnType<Channel['client']> & ClientOf;
} & AsyncDisposable;
type ClientOf = ReturnType<typeof clientOf>;
const clientOf = (channel: Channel) => channel.client(SpiffeWorkloadAPI);

/** An agent's Workload API on a socket, and a client of it. Callers are what the test says they are. */
async function serve(more: Partial<WorkloadApiDeps> = {}): Promise<Api> {
  const stack = new AsyncDisposableStack();
  const world = stack.use(await AgentWorld.create());
  world.server.entries = entries;
  world.server.federatedBundles.set('partner.test', partner);
  const agent = await world.start();
  const deps: WorkloadApiDeps = {
    identities: agent.identities,
    trustDomain: fakeTrustDomain,
    clock: world.clock,
    allowUnauthenticatedVerifiers: false,
    allowedForeignJwtClaims: [],
    logSelectors: [],
    witSvids: false,
    ...more,
  };
  const socketPath = join(world.directory, 'api.sock');
  stack.use(
    await servePublicEndpoint({
      socketPath,
      services: [workloadApi(deps)],
      metrics: noMetrics,
      tracer: noTracer,
      calls: {
        attest: async () => {
          if (api.selectors instanceof Error) throw api.selectors;
          return new Set(api.selectors);
        },
        ownPid: -1,
        log: silentLog,
      },
      clock: world.clock,
      log: silentLog,
      apis: 'Workload API',
    }),
  );
  const channel = stack.use(dial({ address: `unix:${socketPath}` }));
  const api: Api = {
    world,
    agent,
    selectors: ['unix:uid:1'],
    client: clientOf(channel),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return api;
}

/** Synchronises the agent with what the server has now. */
async function synchronise({ world, agent }: Api, change: () => void): Promise<void> {
  change();
  const loops = world.run(agent);
  await loops.pass(6);
  await loops.stop();
}

type Stream<T> = AsyncIterator<T>;
const open = <T>(answers: AsyncIterable<T>): Stream<T> => answers[Symbol.asyncIterator]();
async function next<T>(stream: Stream<T>): Promise<T> {
  const { done, value } = await stream.next();
  if (done) assert.fail('the stream has ended');
  return value;
}

describe('FetchX509SVID', () => {
  test('gives each identity with its key, the lowest entry first', async () => {
    await using api = await serve();
    const stream = open(api.client.fetchX509SVID({}, { headers: header }));
    const { svids, federatedBundles, crl } = await next(stream);
    assert.deepEqual(
      svids.map(({ spiffeId, hint }) => [spiffeId, hint]),
      [
        ['spiffe://fake.test/1-web', 'internal'],
        ['spiffe://fake.test/2-db', ''],
      ],
    );
    for (const { x509Svid, x509SvidKey, bundle } of svids) {
      const [leaf] = parseCertificates(x509Svid);
      assert.deepEqual(readPrivateKey(x509SvidKey).publicKey.spki, leaf?.spki);
      assert.deepEqual(Buffer.from(bundle), Buffer.from(api.world.server.ca.certificate.der));
    }
    assert.deepEqual(Object.keys(federatedBundles), ['spiffe://partner.test']);
    assert.deepEqual(crl, []);
    await stream.return?.();
  });

  test('pushes what changes, and ends when no identity is left', async () => {
    await using api = await serve();
    const stream = open(api.client.fetchX509SVID({}, { headers: header }));
    const ids = async () => (await next(stream)).svids.map(({ spiffeId }) => spiffeId);
    assert.equal((await ids()).length, 2);
    await synchronise(api, () => {
      api.world.server.entries = entries.slice(1);
    });
    assert.deepEqual(await ids(), ['spiffe://fake.test/2-db']);
    await synchronise(api, () => {
      api.world.server.entries = [];
    });
    await assert.rejects(stream.next(), { kind: 'denied', message: 'no identity issued' });
  });

  test('of two entries with one hint the younger is left out', async () => {
    await using api = await serve();
    await synchronise(api, () => {
      const late = fakeEntry('0-late', ['unix:uid:1'], { hint: 'internal', createdAt: 9 });
      api.world.server.entries = [...entries, late];
    });
    const stream = open(api.client.fetchX509SVID({}, { headers: header }));
    const { svids } = await next(stream);
    assert.deepEqual(
      svids.map(({ spiffeId }) => spiffeId),
      ['spiffe://fake.test/1-web', 'spiffe://fake.test/2-db'],
    );
    await stream.return?.();
  });

  test('the answer is encoded once for all who have the same identities', async () => {
    await using api = await serve();
    const answer = async (selectors: string[]) => {
      const deps = { identities: api.agent.identities } as WorkloadApiDeps;
      const answers = fetchX509Svid(deps, {
        signal: new AbortController().signal,
        log: silentLog,
        isOwn: false,
        attest: async () => new Set(selectors),
      });
      const { value } = await answers.next();
      await answers.return(undefined);
      return value;
    };
    assert.equal(await answer(['unix:uid:1', 'unix:gid:7']), await answer(['unix:uid:1']));
  });
});

describe('bundles', () => {
  test('FetchX509Bundles gives the own one and the federated ones', async () => {
    await using api = await serve();
    const stream = open(api.client.fetchX509Bundles({}, { headers: header }));
    const { bundles } = await next(stream);
    assert.deepEqual(Object.keys(bundles).sort(), ['spiffe://fake.test', 'spiffe://partner.test']);
    assert.equal(bundles['spiffe://partner.test']?.length, 0);
    await stream.return?.();
  });

  test('FetchJWTBundles gives key sets, indented, with nothing but keys', async () => {
    await using api = await serve();
    const stream = open(api.client.fetchJWTBundles({}, { headers: header }));
    const { bundles } = await next(stream);
    assert.equal(
      Buffer.from(bundles['spiffe://partner.test'] ?? []).toString(),
      '{\n    "keys": []\n}',
    );
    const own = Buffer.from(bundles['spiffe://fake.test'] ?? []).toString();
    const { keys } = JSON.parse(own) as { keys: Record<string, string>[] };
    assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), ['crv', 'kid', 'kty', 'x', 'y']);
    await stream.return?.();
  });

  test('only a change of the bundles is pushed', async () => {
    await using api = await serve();
    const stream = open(api.client.fetchX509Bundles({}, { headers: header }));
    await next(stream);
    const second = stream.next();
    await synchronise(api, () => {
      api.world.server.entries = entries.map((entry) => ({
        ...entry,
        hint: 'x',
        revisionNumber: 1,
      }));
    });
    const other = await TestCa.create(fakeTrustDomain, { notBefore: 0, notAfter: 4_000_000_000 });
    const added: Bundle = {
      ...api.world.server.bundle,
      x509Authorities: [
        ...api.world.server.bundle.x509Authorities,
        ...other.bundle().x509Authorities,
      ],
    };
    await synchronise(api, () => {
      api.world.server.bundle = added;
    });
    const { value } = (await second) as { value: { bundles: Record<string, Uint8Array> } };
    assert.equal(parseCertificates(value.bundles['spiffe://fake.test'] as Uint8Array).length, 2);
    await stream.return?.();
  });

  test('whoever has no identity may have the own bundle, if the configuration says so', async () => {
    await using api = await serve({ allowUnauthenticatedVerifiers: true });
    api.selectors = ['unix:uid:99'];
    for (const open_ of ['fetchX509Bundles', 'fetchJWTBundles'] as const) {
      const stream = open<{ bundles: Record<string, Uint8Array> }>(
        api.client[open_]({}, { headers: header }),
      );
      assert.deepEqual(Object.keys((await next(stream)).bundles), ['spiffe://fake.test']);
      await stream.return?.();
    }
  });
});

describe('FetchJWTSVID', () => {
  test('gives a token for each identity, or for the one that is named', async () => {
    await using api = await serve();
    const all = await api.client.fetchJWTSVID({ audience: ['a'] }, { headers: header });
    assert.deepEqual(
      all.svids.map(({ spiffeId, hint }) => [spiffeId, hint]),
      [
        ['spiffe://fake.test/1-web', 'internal'],
        ['spiffe://fake.test/2-db', ''],
      ],
    );
    const one = { audience: ['a'], spiffeId: 'spiffe://fake.test/2-db' };
    const named = await api.client.fetchJWTSVID(one, { headers: header });
    assert.deepEqual(
      named.svids.map(({ svid }) => svid),
      [all.svids[1]?.svid],
    );
  });

  test('tells why the server gave none', async () => {
    await using api = await serve();
    api.world.server.failures.set('NewJWTSVID', new Fault('invalid', 'no'));
    await assert.rejects(api.client.fetchJWTSVID({ audience: ['a'] }, { headers: header }), {
      kind: 'unavailable',
      message:
        'could not fetch JWT-SVID: failed to fetch JWT SVID: rpc error: code = InvalidArgument desc = no',
    });
  });
});

describe('ValidateJWTSVID', () => {
  test('answers the subject and all claims, the audience as a list', async () => {
    await using api = await serve();
    const { svids } = await api.client.fetchJWTSVID(
      { audience: ['a'], spiffeId: 'spiffe://fake.test/2-db' },
      { headers: header },
    );
    const request = { audience: 'a', svid: svids[0]?.svid ?? '' };
    const now = unixSeconds(api.world.clock);
    api.selectors = ['unix:uid:99'];
    const answer = await api.client.validateJWTSVID(request, { headers: header });
    const subject = 'spiffe://fake.test/2-db';
    assert.equal(answer.spiffeId, subject);
    assert.deepEqual(answer.claims, { aud: ['a'], exp: now + 300, iat: now, sub: subject });
  });

  test('of a foreign token only what is allowed', async () => {
    const ca = await TestCa.create(partner.trustDomain, {
      notBefore: 0,
      notAfter: 4_000_000_000,
    });
    await using api = await serve({ allowedForeignJwtClaims: ['iat', 'none'] });
    const { server, clock } = api.world;
    await synchronise(api, () => {
      server.federatedBundles.set('partner.test', ca.bundle());
    });
    const now = unixSeconds(clock);
    const foreign = SpiffeId.parse('spiffe://partner.test/x');
    const svid = await ca.jwtSvid(foreign, ['a'], { notBefore: now, notAfter: now + 60 });
    const answer = await api.client.validateJWTSVID({ audience: 'a', svid }, { headers: header });
    assert.deepEqual(answer.claims, {
      sub: 'spiffe://partner.test/x',
      exp: now + 60,
      aud: ['a'],
      iat: now,
    });
  });
});

describe('refusals', () => {
  type Call = (client: ClientOf, headers: Record<string, string>) => Promise<unknown>;
  const first = async (answers: AsyncIterable<unknown>) => next(open(answers));
  const calls: Record<string, Call> = {
    FetchX509SVID: (client, headers) => first(client.fetchX509SVID({}, { headers })),
    FetchX509Bundles: (client, headers) => first(client.fetchX509Bundles({}, { headers })),
    FetchJWTBundles: (client, headers) => first(client.fetchJWTBundles({}, { headers })),
    FetchJWTSVID: (client, headers) => client.fetchJWTSVID({ audience: ['a'] }, { headers }),
    ValidateJWTSVID: (client, headers) =>
      client.validateJWTSVID({ audience: 'a', svid: 'x' }, { headers }),
    FetchWITSVID: (client, headers) => first(client.fetchWITSVID({}, { headers })),
    FetchWITBundles: (client, headers) => first(client.fetchWITBundles({}, { headers })),
  };
  const withHeader: readonly [
    why: string,
    method: string,
    selectors: string[] | Error,
    call: Call | undefined,
    expected: { kind: string; message: string | RegExp },
  ][] = [
    ...['FetchX509SVID', 'FetchX509Bundles', 'FetchJWTBundles', 'FetchJWTSVID'].map(
      (method): (typeof withHeader)[number] => [
        'no entry matches',
        method,
        ['unix:uid:99'],
        undefined,
        { kind: 'denied', message: 'no identity issued' },
      ],
    ),
    ...[
      'FetchX509SVID',
      'FetchX509Bundles',
      'FetchJWTBundles',
      'FetchJWTSVID',
      'ValidateJWTSVID',
    ].map((method): (typeof withHeader)[number] => [
      'attestation fails',
      method,
      new Error('cannot look'),
      undefined,
      { kind: 'unavailable', message: 'workload attestation failed' },
    ]),
    [
      'no audience',
      'FetchJWTSVID',
      ['unix:uid:1'],
      (client, headers) => client.fetchJWTSVID({ spiffeId: 'web' }, { headers }),
      { kind: 'invalid', message: 'audience must be specified' },
    ],
    [
      'a malformed SPIFFE ID',
      'FetchJWTSVID',
      ['unix:uid:1'],
      (client, headers) => client.fetchJWTSVID({ audience: ['a'], spiffeId: 'web' }, { headers }),
      { kind: 'invalid', message: 'invalid requested SPIFFE ID: scheme is missing or invalid' },
    ],
    [
      "another's SPIFFE ID",
      'FetchJWTSVID',
      ['unix:uid:1'],
      (client, headers) =>
        client.fetchJWTSVID(
          { audience: ['a'], spiffeId: 'spiffe://fake.test/3-other' },
          { headers },
        ),
      { kind: 'denied', message: 'no identity issued' },
    ],
    [
      'no audience',
      'ValidateJWTSVID',
      ['unix:uid:1'],
      (client, headers) => client.validateJWTSVID({}, { headers }),
      { kind: 'invalid', message: 'audience must be specified' },
    ],
    [
      'no token',
      'ValidateJWTSVID',
      ['unix:uid:1'],
      (client, headers) => client.validateJWTSVID({ audience: 'a' }, { headers }),
      { kind: 'invalid', message: 'svid must be specified' },
    ],
    [
      'garbage',
      'ValidateJWTSVID',
      ['unix:uid:1'],
      (client, headers) => client.validateJWTSVID({ audience: 'a', svid: 'garbage' }, { headers }),
      { kind: 'invalid', message: /^unable to parse JWT token: / },
    ],
    [
      'the profile is not offered',
      'FetchWITSVID',
      ['unix:uid:1'],
      undefined,
      { kind: 'unimplemented', message: 'fetching WIT-SVIDs is not implemented' },
    ],
    [
      'the profile is not offered',
      'FetchWITBundles',
      ['unix:uid:1'],
      undefined,
      { kind: 'unimplemented', message: 'fetching WIT bundles is not implemented' },
    ],
  ];

  test('with the header', async (t) => {
    await using api = await serve();
    for (const [why, method, selectors, call, expected] of withHeader) {
      await t.test(`${method}: ${why}`, async () => {
        api.selectors = selectors;
        const made = call ?? calls[method];
        await assert.rejects(made?.(api.client, header) ?? Promise.resolve(), expected);
      });
    }
  });

  test('without the header, or with another value', async (t) => {
    await using api = await serve();
    const wrong: Record<string, string>[] = [
      {},
      ...['', 'True', 'false'].map((value) => ({ 'workload.spiffe.io': value })),
    ];
    for (const [method, call] of Object.entries(calls)) {
      for (const headers of wrong) {
        await t.test(`${method}: ${JSON.stringify(headers)}`, async () => {
          await assert.rejects(call(api.client, headers), {
            kind: 'invalid',
            message: 'security header missing from request',
          });
        });
      }
    }
  });
});
