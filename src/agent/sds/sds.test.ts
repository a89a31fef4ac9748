import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { fakeEntry, fakeTrustDomain } from '../../../test/kit/agent-world.ts';
import { leafOf, rootAuthority } from '../../../test/kit/certificates.ts';
import { Rendezvous } from '../../base/rendezvous.ts';
import { silentLog } from '../../ops/log.ts';
import { type Bundle, emptyBundle } from '../../spiffe/bundle.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { SecretSchema } from '../../wire/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
} from '../../wire/gen/envoy/service/discovery/v3/discovery_pb.ts';
import { Subscriber } from '../cache/subscriber.ts';
import type { Identity, WorkloadUpdate } from '../cache/workload-update.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import { deltaSecrets } from './delta-secrets.ts';
import type { SdsDeps } from './deps.ts';
import { fetchSecrets } from './fetch-secrets.ts';
import { streamSecrets } from './stream-secrets.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
const web = 'spiffe://fake.test/1-web';
const db = 'spiffe://fake.test/2-db';

test('a trust domain without authorities is no bundle: the call fails, naming it', async () => {
  const api = await serve();
  api.tell({ federatedBundles: [emptyBundle(TrustDomain.parse('partner.test'))] });
  const message = 'no bundle found for trust domain: "spiffe://partner.test"';
  const resourceNames = ['spiffe://partner.test'];
  await assert.rejects(api.fetch({ resourceNames }), { kind: 'not-found', message });
  const node = { metadata: { disable_spiffe_cert_validation: true } };
  await assert.rejects(api.fetch({ resourceNames, node }), { kind: 'internal', message });
});

test('the configuration says what the special names are', async () => {
  const api = await serve({
    defaultSvidName: 'mine',
    defaultBundleName: 'ours',
    defaultAllBundlesName: 'everyones',
  });
  const named = async (...resourceNames: string[]) => {
    const { resources = [] } = await api.fetch({ resourceNames });
    return resources.map(({ value }) => fromBinary(SecretSchema, value as Uint8Array).name);
  };
  assert.deepEqual(await named('mine', 'ours', 'everyones'), ['ours', 'everyones', 'mine']);
  await assert.rejects(named('default'), { kind: 'invalid' });
});

test('the configuration may switch the SPIFFE validator off, for those who do not say', async () => {
  const api = await serve({ disableSpiffeCertValidation: true });
  const custom = async (node?: { metadata: Record<string, boolean> }) => {
    const { resources = [] } = await api.fetch({
      resourceNames: ['ROOTCA'],
      ...(node && { node }),
    });
    const { type } = fromBinary(SecretSchema, resources[0]?.value as Uint8Array);
    assert.equal(type.case, 'validationContext');
    return type.value.customValidatorConfig !== undefined;
  };
  assert.equal(await custom(), false);
  assert.equal(await custom({ metadata: { disable_spiffe_cert_validation: false } }), true);
});

test('an Envoy that tells a build but no version is an ordinary one', async () => {
  const api = await serve();
  const { resources = [] } = await api.fetch({
    resourceNames: ['ALL'],
    node: { userAgentVersionType: { case: 'userAgentBuildVersion', value: {} } },
  });
  assert.equal(resources.length, 1);
});

test('all bundles may be asked for beside the own one', async () => {
  const api = await serve();
  const { resources = [] } = await api.fetch({ resourceNames: ['ALL', 'ROOTCA'] });
  assert.equal(resources.length, 2);
});

test('news is told to open streams, with the next version and a new nonce', async () => {
  const api = await serve();
  const stream = api.stream();
  stream.say({ typeUrl: TYPE, resourceNames: ['default'] });
  const first = await stream.answer();
  api.tell({ identities: await api.rotated() });
  const second = await stream.answer();
  assert.deepEqual([first.versionInfo, second.versionInfo], ['1', '2']);
  assert.notEqual(second.nonce, first.nonce);
  assert.notDeepEqual(second.resources, first.resources);
  await stream.end();
});

test('of thousands of names that stand for nothing some are told; more are refused', async () => {
  const api = await serve();
  const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
  await assert.rejects(api.fetch({ resourceNames: names(10_000) }), (error: Error) => {
    assert.match(error.message, /\["n0" "n1" .*… \(9900 more\)\]$/);
    assert.ok(error.message.length < 2000);
    return true;
  });
  await assert.rejects(api.fetch({ resourceNames: names(10_001) }), { kind: 'exhausted' });
  const stream = api.stream();
  stream.say({ typeUrl: TYPE, resourceNames: names(10_001) });
  await assert.rejects(stream.answer(), { kind: 'exhausted' });
});

describe('deltas', () => {
  test('what is subscribed to comes once, and again only when it changes', async () => {
    const api = await serve();
    const stream = api.delta();
    stream.say({ typeUrl: TYPE, resourceNamesSubscribe: ['default', 'ROOTCA'] });
    const first = await stream.answer();
    assert.deepEqual(namesIn(first), { names: ['default', 'ROOTCA'], removed: [] });
    stream.say({ responseNonce: first.nonce ?? '' });
    stream.say({ resourceNamesSubscribe: [db] });
    assert.deepEqual(namesIn(await stream.answer()), { names: [db], removed: [] });
    const [, unchanged] = api.identities;
    const [changed] = await api.rotated();
    api.tell({ identities: [changed ?? assert.fail(), unchanged ?? assert.fail()] });
    const third = await stream.answer();
    assert.deepEqual(namesIn(third), { names: ['default'], removed: [] });
    assert.notEqual(third.resources?.[0]?.version, first.resources?.[0]?.version);
    await stream.end();
  });

  test('a name that stands for nothing is told as removed, and comes when it is there', async () => {
    const api = await serve();
    const [first, second] = api.identities;
    api.tell({ identities: [first ?? assert.fail()] });
    const stream = api.delta();
    stream.say({ typeUrl: TYPE, resourceNamesSubscribe: [db, web] });
    assert.deepEqual(namesIn(await stream.answer()), { names: [web], removed: [db] });
    api.tell({ identities: [first ?? assert.fail(), second ?? assert.fail()] });
    assert.deepEqual(namesIn(await stream.answer()), { names: [db], removed: [] });
    api.tell({ identities: [] });
    assert.deepEqual(namesIn(await stream.answer()), { names: [], removed: [db, web] });
    await stream.end();
  });

  test('who names nothing is told of everything, also of what goes', async () => {
    const api = await serve();
    const stream = api.delta();
    stream.say({ typeUrl: TYPE });
    const names = ['spiffe://fake.test', web, db];
    assert.deepEqual(namesIn(await stream.answer()), { names, removed: [] });
    api.tell({ identities: api.identities.slice(0, 1) });
    assert.deepEqual(namesIn(await stream.answer()), { names: [], removed: [db] });
    await stream.end();
  });

  test('who comes back is told only what is new to it', async () => {
    const api = await serve();
    const before = api.delta();
    before.say({ typeUrl: TYPE, resourceNamesSubscribe: ['*'] });
    const { resources = [] } = await before.answer();
    await before.end();
    const versions = Object.fromEntries(
      resources.map(({ name, version }) => [name, version ?? '']),
    );
    const stream = api.delta();
    stream.say({
      typeUrl: TYPE,
      resourceNamesSubscribe: [web, db, 'ROOTCA'],
      initialResourceVersions: { ...versions, [db]: 'old', 'spiffe://fake.test/gone': '1' },
    });
    assert.deepEqual(namesIn(await stream.answer()), {
      names: [db, 'ROOTCA'],
      removed: ['spiffe://fake.test', 'spiffe://fake.test/gone'],
    });
    await stream.end();
  });

  test('what is unsubscribed does not come any more', async () => {
    const api = await serve();
    const stream = api.delta();
    stream.say({ typeUrl: TYPE, resourceNamesSubscribe: [web, db] });
    await stream.answer();
    stream.say({ resourceNamesUnsubscribe: [web] });
    api.tell({ identities: await api.rotated() });
    assert.deepEqual(namesIn(await stream.answer()), { names: [db], removed: [] });
    await stream.end();
  });

  test('who names thousands that stand for nothing, again and again, holds nobody up', async () => {
    const api = await serve();
    const [one] = api.identities;
    api.tell({ identities: Array.from({ length: 200 }, () => one ?? assert.fail()) });
    const stream = api.delta();
    const names = Array.from({ length: 10_000 }, (_, index) => `n${index}`);
    stream.say({ typeUrl: TYPE, resourceNamesSubscribe: names });
    assert.equal((await stream.answer()).removedResources?.length, 10_000);
    const before = process.cpuUsage();
    const turns = 50;
    for (let turn = 0; turn < turns; turn++) {
      stream.say({ resourceNamesSubscribe: ['n0'] });
      assert.deepEqual(namesIn(await stream.answer()), { names: [], removed: ['n0'] });
    }
    const { user } = process.cpuUsage(before);
    assert.ok(user / turns < 10_000, `${user / turns} µs for each`);
    await stream.end();
  });

  test('a stream that asks for more than 10,000 names ends', async () => {
    const api = await serve();
    const stream = api.delta();
    const names = Array.from({ length: 10_001 }, (_, index) => `n${index}`);
    stream.say({ typeUrl: TYPE, resourceNamesSubscribe: names });
    await assert.rejects(stream.answer(), { kind: 'exhausted' });
  });
});

type Delta = MessageInitShape<typeof DeltaDiscoveryResponseSchema>;
const namesIn = ({ resources = [], removedResources = [] }: Delta) => ({
  names: resources.map(({ name }) => name),
  removed: removedResources,
});

/** The three methods for a caller with the identities `1-web` and `2-db`, told what the test says. */
async function serve(sds: Partial<SdsDeps['sds']> = {}) {
  const root = await rootAuthority('fake');
  const bundle: Bundle = {
    ...emptyBundle(fakeTrustDomain),
    x509Authorities: [{ der: root.certificate.der, tainted: false }],
  };
  const identitiesNow = () => Promise.all(['1-web', '2-db'].map((name) => identity(root, name)));
  const identities = await identitiesNow();
  let update: WorkloadUpdate = { identities, bundle, federatedBundles: [] };
  const subscribers = new Set<Subscriber>();
  let nonce = 0;
  const deps: SdsDeps = {
    identities: {
      latest: () => update,
      subscribe: (selectors) => {
        const subscriber = new Subscriber(selectors, (self) => subscribers.delete(self));
        subscribers.add(subscriber);
        subscriber.deliver(update);
        return subscriber;
      },
    },
    sds: {
      defaultSvidName: 'default',
      defaultBundleName: 'ROOTCA',
      defaultAllBundlesName: 'ALL',
      disableSpiffeCertValidation: false,
      ...sds,
    },
    newNonce: () => String(++nonce),
  };
  const call: WorkloadCall = {
    signal: new AbortController().signal,
    log: silentLog,
    isOwn: false,
    attest: () => Promise.resolve(new Set(['unix:uid:1'])),
  };
  return {
    identities,
    rotated: identitiesNow,
    tell: (news: Partial<WorkloadUpdate>) => {
      update = { ...update, ...news };
      for (const subscriber of subscribers) subscriber.deliver(update);
    },
    fetch: (request: MessageInitShape<typeof DiscoveryRequestSchema>) =>
      fetchSecrets(deps, create(DiscoveryRequestSchema, request), call),
    stream: () =>
      converse(DiscoveryRequestSchema, (requests) => streamSecrets(deps, requests, call)),
    delta: () =>
      converse(DeltaDiscoveryRequestSchema, (requests) => deltaSecrets(deps, requests, call)),
  };
}

async function identity(root: Awaited<ReturnType<typeof rootAuthority>>, name: string) {
  const { certificate, key } = await leafOf(root, `spiffe://fake.test/${name}`);
  return {
    entry: { ...fakeEntry(name, ['unix:uid:1']), disableX509SvidPrefetch: false },
    svid: { chain: certificate.der, privateKey: key.toPkcs8(), notBefore: 0, notAfter: 1 },
  } satisfies Identity;
}

/** A bidirectional call without a network between the two. */
function converse<I extends DescMessage, Answer>(
  schema: I,
  method: (requests: AsyncIterable<MessageShape<I>>) => AsyncGenerator<Answer>,
) {
  const spoken = new Rendezvous<MessageShape<I> | 'end'>();
  async function* requests() {
    for (let next = await spoken.take(); next !== 'end'; next = await spoken.take()) yield next;
  }
  const answers = method(requests());
  return {
    say: (request: MessageInitShape<I>) => {
      spoken.give(create(schema, request)).catch(assert.fail);
    },
    answer: async (): Promise<Answer> => {
      const { done, value } = await answers.next();
      if (done) assert.fail('the stream has ended');
      return value;
    },
    end: async () => {
      spoken.give('end').catch(assert.fail);
      assert.deepEqual(await answers.next(), { done: true, value: undefined });
    },
  };
}
