import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { serveHttps, WebOfTrust } from '../../../../test/kit/https-endpoint.ts';
import { eventually } from '../../../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { noMetrics } from '../../../ops/metrics.ts';
import { type Bundle, emptyBundle } from '../../../spiffe/bundle.ts';
import { writeBundleDocument } from '../../../spiffe/bundle-document.ts';
import type { FederationRelationship } from '../../../spiffe/federation-relationship.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { startBundleManager } from './start-bundle-manager.ts';

/** Of an endpoint whose bundle is not there: a poll fails before it asks anybody. */
const relationship = (name: string, url = `https://${name}/`): FederationRelationship => ({
  trustDomain: TrustDomain.parse(name),
  bundleEndpointUrl: url,
  bundleEndpointProfile: {
    kind: 'https_spiffe',
    endpointSpiffeId: SpiffeId.parse(`spiffe://${name}/spiffe/server`),
  },
});

type WorldOptions = {
  readonly federatesWith?: readonly FederationRelationship[];
  readonly dynamic?: readonly FederationRelationship[];
  readonly webAuthorities?: readonly string[];
};

function start(t: TestContext, options: WorldOptions = {}) {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const world = {
    clock,
    lines,
    dynamic: options.dynamic ?? [],
    /** What reading the relationships fails with. */
    failure: undefined as Error | undefined,
    reloads: 0,
    held: new Map<string, Bundle>(),
  };
  const manager = startBundleManager({
    federatesWith: options.federatesWith ?? [],
    relationships: {
      rows: () => world.dynamic.map((value, index) => ({ rowId: index + 1, value })),
      async reload() {
        world.reloads += 1;
        if (world.failure !== undefined) throw world.failure;
      },
    },
    bundles: {
      get: ({ name }) => world.held.get(name),
      async set(bundle) {
        world.held.set(bundle.trustDomain.name, bundle);
        return bundle;
      },
    },
    environment: {},
    metrics: noMetrics,
    clock,
    log: recordingLog(lines, {}, 'debug'),
    ...(options.webAuthorities && { webAuthorities: options.webAuthorities }),
  });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await manager[Symbol.asyncDispose]();
  };
  t.after(stop);
  /** What was logged since the last time. */
  const told = () =>
    lines.splice(0).map(({ message, fields: { subsystem_name: subsystem, ...fields } }) => {
      assert.equal(subsystem, 'bundle_client');
      return [message, fields] as const;
    });
  return Object.assign(world, { manager, told, stop });
}

const NO_COPY = "can't perform SPIFFE Authentication: local copy of bundle not found";
const polled = (name: string, at: string) =>
  [
    ['Polling for bundle update', { trust_domain: name }],
    ['Error updating bundle', { trust_domain: name, error: NO_COPY }],
    ['Scheduling next bundle refresh', { trust_domain: name, at }],
  ] as const;
const managed = (name: string) =>
  [
    'Trust domain is now managed',
    {
      trust_domain: name,
      bundle_endpoint_url: `https://${name}/`,
      bundle_endpoint_profile: 'https_spiffe',
    },
  ] as const;

test('a relationship of the configuration is polled at once, and again', async (t) => {
  const { clock, told } = start(t, { federatesWith: [relationship('a.test')] });
  await clock.advance({ seconds: 1 });
  assert.deepEqual(told(), [managed('a.test'), ...polled('a.test', '2026-01-01T00:01:00Z')]);
  await clock.advance({ seconds: 58 });
  assert.deepEqual(told(), []);
  await clock.advance({ seconds: 1 });
  assert.deepEqual(told(), polled('a.test', '2026-01-01T00:02:00Z'));
});

test('relationships come and go with what is stored, looked at every ten seconds', async (t) => {
  const world = start(t);
  await world.clock.advance({ seconds: 9 });
  assert.equal(world.reloads, 0);
  world.dynamic = [relationship('a.test')];
  await world.clock.advance({ seconds: 1 });
  assert.deepEqual(world.told(), [managed('a.test'), ...polled('a.test', '2026-01-01T00:01:10Z')]);
  world.dynamic = [];
  await world.clock.advance({ seconds: 10 });
  assert.deepEqual(world.told(), [
    ['Trust domain no longer managed', { entry: 'a.test' }],
    ['No longer polling for updates', { trust_domain: 'a.test' }],
  ]);
  await world.clock.advance({ seconds: 300 });
  assert.deepEqual(world.told(), []);
});

test('what the API changed counts at once, also while it is being looked at', async (t) => {
  const world = start(t);
  world.dynamic = [relationship('a.test')];
  world.manager.relationshipsChanged();
  await world.clock.advance({ milliseconds: 1 });
  assert.equal(world.told()[0]?.[0], 'Trust domain is now managed');
  world.manager.relationshipsChanged();
  world.manager.relationshipsChanged();
  await world.clock.advance({ milliseconds: 1 });
  assert.equal(world.reloads, 2);
});

test('another endpoint is polled at once', async (t) => {
  const world = start(t, { dynamic: [relationship('a.test')] });
  await world.clock.advance({ seconds: 1 });
  world.told();
  world.dynamic = [relationship('a.test', 'https://elsewhere/')];
  world.manager.relationshipsChanged();
  await world.clock.advance({ seconds: 1 });
  assert.deepEqual(world.told(), [
    [
      'Updated configuration for managed trust domain',
      {
        entry: 'a.test',
        bundle_endpoint_url: 'https://elsewhere/',
        bundle_endpoint_profile: 'https_spiffe',
      },
    ],
    ...polled('a.test', '2026-01-01T00:01:01Z'),
  ]);
});

test('the configuration wins where both name a trust domain', async (t) => {
  const world = start(t, {
    federatesWith: [relationship('a.test')],
    dynamic: [relationship('a.test', 'https://elsewhere/'), relationship('b.test')],
  });
  await world.clock.advance({ seconds: 1 });
  const names = world.told().filter(([message]) => message === 'Trust domain is now managed');
  assert.deepEqual(names, [managed('a.test'), managed('b.test')]);
});

test('relationships that cannot be read stay as they were', async (t) => {
  const world = start(t, { dynamic: [relationship('a.test')] });
  await world.clock.advance({ seconds: 1 });
  world.told();
  world.dynamic = [];
  world.failure = new Error('no database');
  await world.clock.advance({ seconds: 9 });
  assert.deepEqual(world.told(), [['Failed to reload configs', { error: 'no database' }]]);
  world.failure = undefined;
  await world.clock.advance({ seconds: 10 });
  assert.equal(world.told()[0]?.[0], 'Trust domain no longer managed');
});

test('a refresh polls once more, whatever is due', async (t) => {
  const signal = new AbortController().signal;
  const world = start(t, { federatesWith: [relationship('a.test')] });
  await world.clock.advance({ seconds: 1 });
  world.told();
  const a = TrustDomain.parse('a.test');
  await assert.rejects(world.manager.refresh(a, signal), { message: NO_COPY });
  assert.equal(world.reloads, 1);
  assert.equal(await world.manager.refresh(TrustDomain.parse('b.test'), signal), false);
  world.dynamic = [relationship('b.test')];
  await assert.rejects(world.manager.refresh(TrustDomain.parse('b.test'), signal), {
    message: NO_COPY,
  });
  world.failure = new Error('no database');
  await assert.rejects(world.manager.refresh(a, signal), { message: NO_COPY });
});

test('what was fetched is stored, and its own hint says when the next poll is', async (t) => {
  const web = await WebOfTrust.create('web');
  const bundle: Bundle = {
    ...emptyBundle(TrustDomain.parse('a.test')),
    x509Authorities: [{ der: web.root.certificate.der, tainted: false }],
    refreshHintSeconds: 120,
  };
  const { port } = await serveHttps(t, await web.web(['localhost']), (_, response) => {
    response.end(writeBundleDocument(bundle));
  });
  const world = start(t, {
    federatesWith: [
      {
        trustDomain: bundle.trustDomain,
        bundleEndpointUrl: `https://localhost:${port}/`,
        bundleEndpointProfile: { kind: 'https_web' },
      },
    ],
    webAuthorities: [web.pem],
  });
  await eventually(() => world.lines.length === 4, 'the first poll');
  assert.deepEqual(world.told().slice(2), [
    ['Bundle refreshed', { trust_domain: 'a.test' }],
    ['Scheduling next bundle refresh', { trust_domain: 'a.test', at: '2026-01-01T00:00:30Z' }],
  ]);
  assert.deepEqual(world.held.get('a.test'), bundle);
});

test('nothing runs after it was disposed of, and no relationship is said to have ended', async (t) => {
  const world = start(t, { federatesWith: [relationship('a.test')] });
  await world.clock.advance({ seconds: 1 });
  world.told();
  await world.stop();
  assert.deepEqual(world.told(), [
    ['Shutting down', {}],
    ['No longer polling for updates', { trust_domain: 'a.test' }],
  ]);
  assert.equal(world.clock.sleepers, 0);
  world.manager.relationshipsChanged();
  const { signal } = new AbortController();
  assert.equal(await world.manager.refresh(TrustDomain.parse('a.test'), signal), false);
  assert.equal(world.clock.sleepers, 0);
});
