import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { Fault } from '../../base/fault.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { generateKey } from '../../crypto/keys.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { noMetrics } from '../../ops/metrics.ts';
import type { SvidStore, SvidToStore } from '../../plugins/svid-store/contract.ts';
import { type Bundle, emptyBundle } from '../../spiffe/bundle.ts';
import { parseSelector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import { StoreCache } from './store-cache.ts';
import { StoreService } from './store-service.ts';

const trustDomain = TrustDomain.parse('store.test');
const partner = TrustDomain.parse('partner.test');

const entry = (
  id: string,
  selectors: readonly string[] = [`disk:name:${id}`],
  more: Partial<AuthorizedEntry> = {},
): AuthorizedEntry => ({
  id,
  spiffeId: SpiffeId.of(trustDomain, `/${id}`),
  selectors: selectors.map(parseSelector),
  federatesWith: [],
  admin: false,
  downstream: false,
  revisionNumber: 0,
  storeSvid: true,
  hint: '',
  createdAt: 1,
  disableX509SvidPrefetch: false,
  ...more,
});

let ca: TestCa;
let svid: X509Svid;
let own: Bundle;

before(async () => {
  const lifetime = { notBefore: 1_700_000_000, notAfter: 2_000_000_000 };
  ca = await TestCa.create(trustDomain, lifetime);
  own = ca.bundle();
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const chain = await ca.workloadSvid(SpiffeId.of(trustDomain, '/any'), csr, lifetime);
  svid = { chain, privateKey: key.toPkcs8(), ...lifetime };
});

/** A cache, a store that remembers what it was told, and the service between them. */
function world() {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const told: string[] = [];
  const puts: SvidToStore[] = [];
  const failures = new Map<string, Fault>();
  const fail = (what: string) => {
    const failure = failures.get(what);
    if (failure !== undefined) throw failure;
  };
  const store: SvidStore = {
    name: 'disk',
    async put(toStore, metadata) {
      told.push(`put ${metadata.join(' ')}`);
      fail('put');
      puts.push(toStore);
    },
    async delete(metadata) {
      told.push(`delete ${metadata.join(' ')}`);
      fail('delete');
    },
    async [Symbol.asyncDispose]() {},
  };
  const log = recordingLog(lines, {}, 'debug');
  const cache: StoreCache = new StoreCache(own, log, () => {
    service.wake();
  });
  const service: StoreService = new StoreService({
    cache,
    stores: [store],
    metrics: noMetrics,
    clock,
    log,
  });
  const stopping = new AbortController();
  const running = service.run(stopping.signal);
  const settle = (seconds = 0) => clock.advance({ seconds });
  return {
    cache,
    told,
    puts,
    failures,
    settle,
    messages: () => lines.map(({ message }) => message),
    lineOf: (message: string) => lines.find((line) => line.message === message),
    errorOf: (message: string) => {
      const error = lines.find((line) => line.message === message)?.fields['error'];
      return error instanceof Error ? error.message : undefined;
    },
    sync: (entries: readonly AuthorizedEntry[], bundles: readonly Bundle[] = [own]) =>
      cache.update(entries, bundles, () => false),
    mint: (value: X509Svid = svid) => {
      cache.setSvids(new Map(cache.staleEntries().map((stale) => [stale.entry, value])));
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('stopping'));
      await running;
    },
  };
}

describe('a store is told', () => {
  test('of an SVID as soon as it is there, and of all that its user needs', async () => {
    await using agent = world();
    const federated = { ...ca.bundle(), trustDomain: partner };
    agent.sync(
      [entry('a', ['disk:name:a', 'disk:more'], { federatesWith: [partner] })],
      [own, federated],
    );
    await agent.settle();
    assert.deepEqual(agent.told, []);
    agent.mint();
    await agent.settle();
    assert.deepEqual(agent.told, ['put name:a more']);
    const [put] = agent.puts;
    assert.ok(put);
    assert.equal(put.spiffeId, 'spiffe://store.test/a');
    assert.deepEqual(put.chain, [svid.chain]);
    assert.deepEqual(put.bundle, [ca.certificate.der]);
    assert.equal(put.expiresAt, svid.notAfter);
    assert.deepEqual(
      put.federatedBundles,
      new Map([['spiffe://partner.test', [ca.certificate.der]]]),
    );
    const line = agent.lineOf('SVID stored successfully');
    assert.deepEqual(line?.fields, {
      entry: 'a',
      spiffe_id: 'spiffe://store.test/a',
      revision_number: 0,
      svid_store: 'disk',
    });
  });

  test('in the order of the entries', async () => {
    await using agent = world();
    agent.sync([entry('b'), entry('c'), entry('a')]);
    agent.mint();
    await agent.settle();
    assert.deepEqual(agent.told, ['put name:a', 'put name:b', 'put name:c']);
  });

  test('nothing twice', async () => {
    await using agent = world();
    agent.sync([entry('a')]);
    agent.mint();
    await agent.settle(60);
    agent.sync([entry('a')]);
    await agent.settle(60);
    assert.deepEqual(agent.told, ['put name:a']);
  });

  const changes: readonly [what: string, change: (agent: ReturnType<typeof world>) => void][] = [
    [
      'of a new SVID',
      ({ cache }) => {
        cache.setSvids(new Map([[entry('a'), svid]]));
      },
    ],
    [
      'of a new bundle',
      ({ sync }) => {
        sync([entry('a')], [{ ...own, sequenceNumber: 99n }]);
      },
    ],
    [
      'of a federated bundle that comes',
      ({ sync }) => {
        sync([entry('a', undefined, { federatesWith: [partner] })], [own, emptyBundle(partner)]);
      },
    ],
  ];
  for (const [what, change] of changes) {
    test(what, async () => {
      await using agent = world();
      agent.sync([entry('a')]);
      agent.mint();
      await agent.settle();
      change(agent);
      await agent.settle();
      assert.deepEqual(agent.told, ['put name:a', 'put name:a']);
    });
  }

  test('of an entry that changed, when it has the new SVID', async () => {
    await using agent = world();
    agent.sync([entry('a')]);
    agent.mint();
    await agent.settle();
    const changed = entry('a', ['disk:name:other'], { revisionNumber: 1 });
    assert.deepEqual(agent.sync([changed]), { expiring: 0, outdated: 1 });
    assert.deepEqual(
      agent.cache.staleEntries().map(({ entry: { id } }) => id),
      ['a'],
    );
    agent.mint();
    await agent.settle();
    assert.deepEqual(agent.told, ['put name:a', 'delete name:a', 'put name:other']);
  });

  test('of an entry that is gone, also if it was never stored', async () => {
    await using agent = world();
    agent.sync([entry('a'), entry('b')]);
    agent.cache.setSvids(new Map([[entry('a'), svid]]));
    await agent.settle();
    agent.sync([]);
    await agent.settle();
    assert.deepEqual(agent.told, ['put name:a', 'delete name:a', 'delete name:b']);
    agent.sync([]);
    await agent.settle(60);
    assert.equal(agent.told.length, 3);
    assert.equal(agent.cache.svidCount, 0);
  });

  test('of one that came back before it was deleted', async () => {
    await using agent = world();
    agent.failures.set('delete', new Fault('unavailable', 'down'));
    agent.sync([entry('a')]);
    agent.mint();
    await agent.settle();
    agent.sync([]);
    await agent.settle();
    agent.sync([entry('a')]);
    agent.mint();
    await agent.settle();
    assert.equal(agent.told.at(-1), 'put name:a');
  });
});

describe('what fails', () => {
  test('is tried again every five seconds', async () => {
    await using agent = world();
    agent.failures.set('put', new Fault('unavailable', 'down'));
    agent.sync([entry('a')]);
    agent.mint();
    await agent.settle(12);
    assert.deepEqual(agent.told, ['put name:a', 'put name:a', 'put name:a']);
    agent.failures.clear();
    await agent.settle(60);
    assert.equal(agent.told.length, 4);
    assert.equal(agent.errorOf('Failed to put X509-SVID'), 'down');
  });

  test('a deletion too, unless nothing can be there', async () => {
    await using agent = world();
    agent.sync([entry('a')]);
    agent.mint();
    await agent.settle();
    agent.failures.set('delete', new Fault('unavailable', 'down'));
    agent.sync([]);
    await agent.settle(7);
    assert.deepEqual(agent.told.slice(1), ['delete name:a', 'delete name:a']);
    agent.failures.set('delete', new Fault('invalid', 'no such place'));
    await agent.settle(60);
    assert.equal(agent.told.length, 4);
    assert.ok(agent.messages().includes('Failed to delete SVID because of malformed selectors'));
  });

  const misplaced: readonly [why: string, selectors: readonly string[], line: string][] = [
    ['types differ', ['disk:name:a', 'unix:uid:1'], 'Invalid store name in selectors'],
    ['the store is not configured', ['cloud:name:a'], 'Error storing SVID: SVIDStore not found'],
  ];
  for (const [why, selectors, line] of misplaced) {
    test(`is told where ${why}`, async () => {
      await using agent = world();
      agent.sync([entry('a', selectors)]);
      agent.mint();
      await agent.settle();
      assert.deepEqual(agent.told, []);
      assert.ok(agent.messages().includes(line), agent.messages().join('\n'));
    });
  }

  test('a trust domain without authorities has nothing to store yet', async () => {
    await using agent = world();
    agent.sync([entry('a')], [emptyBundle(trustDomain)]);
    agent.mint();
    await agent.settle();
    assert.deepEqual(agent.told, []);
    assert.equal(agent.errorOf('Failed to parse record'), 'no rootCA found');
  });
});

describe('the cache of what is stored', () => {
  test('renews what is due, and what an authority signed that is trusted no more', async () => {
    await using agent = world();
    agent.sync([entry('a')]);
    agent.mint();
    const due = agent.cache.update([entry('a')], [own], () => true);
    assert.deepEqual(due, { expiring: 1, outdated: 0 });
    assert.deepEqual(agent.cache.staleEntries()[0]?.former, svid);
    agent.mint();
    assert.equal(agent.cache.staleEntries().length, 0);
    const tainted = [parseCertificate(ca.certificate.der)];
    assert.equal(await agent.cache.dropSignedBy(tainted, 1_800_000_000), 1);
    assert.equal(agent.cache.svidCount, 0);
    assert.equal(agent.cache.staleEntries()[0]?.former, undefined);
  });

  test('takes no SVID of what an entry was before', async () => {
    await using agent = world();
    agent.sync([entry('a', undefined, { revisionNumber: 1 })]);
    agent.cache.setSvids(new Map([[entry('a'), svid]]));
    assert.equal(agent.cache.svidCount, 0);
  });
});
