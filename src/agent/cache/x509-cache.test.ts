import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { type Bundle, emptyBundle } from '../../spiffe/bundle.ts';
import { parseSelector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { Subscription } from './subscriber.ts';
import type { WorkloadUpdate, X509Svid } from './workload-update.ts';
import { X509Cache, type X509CacheDeps } from './x509-cache.ts';

const trustDomain = TrustDomain.parse('cache.test');
const own = emptyBundle(trustDomain);
const partner = emptyBundle(TrustDomain.parse('b.test'));

function entry(
  id: string,
  selectors: readonly string[],
  more: Partial<AuthorizedEntry> = {},
): AuthorizedEntry {
  return {
    id,
    spiffeId: SpiffeId.of(trustDomain, `/${id}`),
    selectors: selectors.map(parseSelector),
    federatesWith: [],
    admin: false,
    downstream: false,
    revisionNumber: 1,
    storeSvid: false,
    hint: '',
    createdAt: 0,
    disableX509SvidPrefetch: false,
    ...more,
  };
}

const svid = (name = ''): X509Svid => ({
  chain: Buffer.from(name),
  privateKey: new Uint8Array(),
  notBefore: 0,
  notAfter: 100,
});

function newCache(more: Partial<X509CacheDeps> = {}) {
  const clock = new VirtualClock();
  let missing = 0;
  const cache = new X509Cache({
    trustDomain,
    bundle: own,
    maxSize: 1000,
    metrics: noMetrics,
    clock,
    log: silentLog,
    onMissing: () => missing++,
    ...more,
  });
  return { cache, clock, missing: () => missing };
}

const never = () => false;
const ids = (update: WorkloadUpdate) => update.identities.map((identity) => identity.entry.id);
const stale = (cache: X509Cache) => cache.staleEntries().map((item) => item.entry.id);
const set = (...selectors: string[]) => new Set(selectors);

/** The identities of that entry. */
const held = (cache: X509Cache, id: string) =>
  [...cache.identities()].filter(({ entry }) => entry.id === id);

/** Mints everything that is asked for. */
function mint(cache: X509Cache, name = ''): void {
  cache.setSvids(new Map(cache.staleEntries().map(({ entry }) => [entry, svid(name)])));
}

/** An SVID for an entry of that ID, in its first revision. */
const minted = (id: string, its: X509Svid) => new Map([[entry(id, ['u:1']), its]]);

/** What a subscriber has not read yet; undefined if nothing. */
async function unread(subscriber: Subscription): Promise<WorkloadUpdate | undefined> {
  const nothing = new AbortController();
  const next = subscriber.next(nothing.signal).catch(() => undefined);
  await Promise.resolve();
  nothing.abort(new Error('nothing'));
  return next;
}

describe('who gets what', () => {
  test('an entry applies when each of its selectors is in the set, in the order of entry IDs', () => {
    const { cache } = newCache();
    cache.update(
      [entry('c', ['u:1']), entry('a', ['u:1', 'p:x']), entry('b', ['u:2'])],
      [own],
      never,
    );
    mint(cache);
    const of = (...selectors: string[]) => ids(cache.latest(set(...selectors)));
    assert.deepEqual(of('u:1'), ['c']);
    assert.deepEqual(of('u:1', 'p:x', 'z:9'), ['a', 'c']);
    assert.deepEqual(of('p:x'), []);
    assert.deepEqual(of(), []);
  });

  test('the match agrees with the definition, for any entries and any set', () => {
    const selector = fc.constantFrom('a:1', 'a:2', 'b:1', 'b:2', 'c:1');
    const selectors = fc.uniqueArray(selector, { minLength: 1 });
    fc.assert(
      fc.property(
        fc.array(selectors, { maxLength: 12 }),
        fc.uniqueArray(selector),
        (given, asked) => {
          const { cache } = newCache();
          const entries = given.map((list, index) => entry(String(index).padStart(2, '0'), list));
          cache.update(entries, [own], never);
          const expected = entries.filter((_, index) =>
            given[index]?.every((s) => asked.includes(s)),
          );
          assert.deepEqual(cache.matchingEntries(new Set(asked)), expected);
        },
      ),
    );
  });

  test('workloads with the same identities are given the same object, until something changes', () => {
    const { cache } = newCache();
    cache.update([entry('a', ['u:1'])], [own], never);
    mint(cache);
    const first = cache.latest(set('u:1', 'x:1'));
    assert.equal(cache.latest(set('u:1', 'x:2')), first);
    cache.update([entry('a', ['u:1'])], [{ ...own, sequenceNumber: 2n }], never);
    assert.notEqual(cache.latest(set('u:1')), first);
    assert.equal(cache.latest(set('u:1')).bundle.sequenceNumber, 2n);
  });

  test('federated bundles are those that an identity with an SVID names', () => {
    const { cache } = newCache();
    const federated = { federatesWith: [partner.trustDomain, TrustDomain.parse('unknown.test')] };
    cache.update([entry('a', ['u:1'], federated)], [own, partner], never);
    assert.deepEqual(cache.latest(set('u:1')).federatedBundles, []);
    mint(cache);
    assert.deepEqual(cache.latest(set('u:1')).federatedBundles, [partner]);
  });
});

describe('what is minted', () => {
  test('entries without SVID as far as there is room, unless prefetch is off', () => {
    const { cache } = newCache({ maxSize: 2 });
    cache.update(
      [
        entry('a', ['u:1'], { disableX509SvidPrefetch: true }),
        entry('b', ['u:2']),
        entry('c', ['u:3']),
        entry('d', ['u:4']),
      ],
      [own],
      never,
    );
    assert.deepEqual(stale(cache), ['b', 'c']);
  });

  test('what a subscriber waits for, beyond the limit and whatever prefetch says', () => {
    const { cache, missing } = newCache({ maxSize: 1 });
    const entries = [entry('a', ['u:1']), entry('b', ['u:2'], { disableX509SvidPrefetch: true })];
    cache.update(entries, [own], never);
    mint(cache);
    assert.equal(missing(), 0);
    cache.subscribe(set('u:2'));
    assert.equal(missing(), 1);
    assert.deepEqual(stale(cache), ['b']);
    mint(cache);
    assert.deepEqual([held(cache, 'a').length, held(cache, 'b').length], [0, 1]);
    cache.subscribe(set('u:1'));
    mint(cache);
    assert.equal(cache.svidCount, 2, 'both have a subscriber');
  });

  test('first what a subscriber waits for, then renewals, then what there is room for', () => {
    const { cache } = newCache();
    const entries = ['a', 'b', 'c'].map((id) => entry(id, [`u:${id}`]));
    cache.update(entries, [own], never);
    cache.setSvids(minted('b', svid()));
    cache.update(entries, [own], () => true);
    cache.subscribe(set('u:c'));
    assert.deepEqual(stale(cache), ['c', 'b', 'a']);
  });

  test('not what a subscriber that has left wanted beyond the limit', () => {
    const { cache } = newCache({ maxSize: 1 });
    const entries = [entry('a', ['u:1']), entry('b', ['u:2'])];
    cache.update(entries, [own], never);
    mint(cache);
    const subscriber = cache.subscribe(set('u:2'));
    assert.deepEqual(stale(cache), ['b']);
    subscriber[Symbol.dispose]();
    assert.deepEqual(stale(cache), []);
  });

  test('what is due or has another revision, and it keeps its former SVID meanwhile', () => {
    const { cache } = newCache();
    cache.update([entry('a', ['u:1']), entry('b', ['u:2'])], [own], never);
    mint(cache, 'first');
    const counts = cache.update(
      [entry('a', ['u:1'], { revisionNumber: 2 }), entry('b', ['u:2'])],
      [own],
      ({ chain }) => chain.length === 5,
    );
    assert.deepEqual(counts, { expiring: 2, outdated: 1 });
    assert.deepEqual(
      cache.staleEntries().map((item) => item.former),
      [svid('first'), svid('first')],
    );
    assert.deepEqual(ids(cache.latest(set('u:1'))), ['a']);
  });

  test('of an entry made anew with the ID of a former one, whose SVID is given to nobody any more', async () => {
    const { cache } = newCache();
    cache.update([entry('a', ['u:1'])], [own], never);
    mint(cache, 'former');
    using subscriber = cache.subscribe(set('u:1'));
    await unread(subscriber);
    cache.update([entry('a', ['u:1'], { createdAt: 9 })], [own], never);
    assert.deepEqual(ids(cache.latest(set('u:1'))), []);
    assert.equal(await unread(subscriber), undefined, 'its stream does not end');
    assert.deepEqual(stale(cache), ['a']);
    mint(cache, 'latter');
    const update = (await unread(subscriber)) as WorkloadUpdate;
    assert.deepEqual(update.identities[0]?.svid, svid('latter'));
  });

  test('an SVID whose entry has gone meanwhile is dropped', () => {
    const { cache } = newCache();
    cache.setSvids(minted('gone', svid()));
    assert.equal(cache.svidCount, 0);
  });

  for (const [what, change] of [
    ['another revision', { revisionNumber: 2 }],
    ['another entry of the same ID', { createdAt: 9 }],
  ] as const) {
    test(`an SVID for what has become ${what} is dropped, and asked for again`, () => {
      const { cache } = newCache();
      const former = entry('a', ['u:1'], { spiffeId: SpiffeId.of(trustDomain, '/former') });
      cache.update([former], [own], never);
      const asked = cache.staleEntries();
      cache.update([entry('a', ['u:1'], change)], [own], never);
      cache.setSvids(new Map(asked.map((item) => [item.entry, svid('former')])));
      assert.equal(cache.svidCount, 0);
      assert.deepEqual(stale(cache), ['a']);
      mint(cache, 'now');
      assert.deepEqual(held(cache, 'a')[0]?.svid, svid('now'));
      assert.deepEqual(stale(cache), []);
    });
  }
});

describe('eviction', () => {
  test('takes those that were longest not asked for, and none that somebody waits for', () => {
    const { cache, clock } = newCache({ maxSize: 2 });
    const entries = ['1', '2', '3', '4'].map((n) => entry(n, [`u:${n}`]));
    cache.update(entries, [own], never);
    for (const n of ['1', '3', '4', '2']) {
      void clock.advance({ seconds: 1 });
      const subscriber = cache.subscribe(set(`u:${n}`));
      mint(cache);
      if (n !== '1') subscriber[Symbol.dispose]();
    }
    assert.deepEqual([...cache.identities()].map((identity) => identity.entry.id).sort(), [
      '1',
      '2',
    ]);
    assert.deepEqual(ids(cache.latest(set('u:1'))), ['1'], 'it has a subscriber');
  });
});

describe('news', () => {
  const entries = [
    entry('a', ['u:1', 'p:x']),
    entry('b', ['u:2'], { federatesWith: [partner.trustDomain] }),
  ];

  function world() {
    const made = newCache();
    made.cache.update(entries, [own, partner], never);
    mint(made.cache);
    return {
      ...made,
      a: made.cache.subscribe(set('u:1', 'p:x')),
      b: made.cache.subscribe(set('u:2')),
    };
  }

  test('the first update is there at once, and no second without a change', async () => {
    const { a } = world();
    assert.deepEqual(ids((await unread(a)) as WorkloadUpdate), ['a']);
    assert.equal(await unread(a), undefined);
  });

  test('no identity: an empty update at once', async () => {
    const { cache } = world();
    for (const selectors of [set('u:3'), set()]) {
      assert.deepEqual(ids((await unread(cache.subscribe(selectors))) as WorkloadUpdate), []);
    }
  });

  const bundleOf = (bundle: Bundle, sequenceNumber: bigint) => ({ ...bundle, sequenceNumber });
  const changes: readonly [
    what: string,
    change: (cache: X509Cache) => void,
    toA: readonly string[] | undefined,
    toB: readonly string[] | undefined,
  ][] = [
    ['nothing new', (c) => c.update(entries, [own, partner], never), undefined, undefined],
    ['the own bundle', (c) => c.update(entries, [bundleOf(own, 1n), partner], never), ['a'], ['b']],
    [
      'a federated bundle',
      (c) => c.update(entries, [own, bundleOf(partner, 1n)], never),
      undefined,
      ['b'],
    ],
    ['a federated bundle gone', (c) => c.update(entries, [own], never), undefined, ['b']],
    [
      'the own bundle missing: kept',
      (c) => c.update(entries, [partner], never),
      undefined,
      undefined,
    ],
    [
      'an entry removed',
      (c) => c.update(entries.slice(0, 1), [own, partner], never),
      undefined,
      [],
    ],
    [
      'an entry of others',
      (c) => c.update([...entries, entry('c', ['u:9'])], [own, partner], never),
      undefined,
      undefined,
    ],
    [
      'a newly matching entry, before its SVID',
      (c) => c.update([...entries, entry('c', ['p:x'])], [own, partner], never),
      ['a'],
      undefined,
    ],
    [
      'a newly matching entry and its SVID',
      (c) => {
        c.update([...entries, entry('0', ['p:x'])], [own, partner], never);
        mint(c);
      },
      ['0', 'a'],
      undefined,
    ],
    [
      'a new revision, before its SVID',
      (c) =>
        c.update(
          entries.map((e) => ({ ...e, revisionNumber: 2 })),
          [own, partner],
          never,
        ),
      undefined,
      undefined,
    ],
    [
      'other selectors',
      (c) =>
        c.update(
          [entry('a', ['u:2'], { revisionNumber: 2 }), ...entries.slice(1)],
          [own, partner],
          never,
        ),
      [],
      ['a', 'b'],
    ],
    [
      'other trust domains',
      (c) => c.update([...entries.slice(0, 1), entry('b', ['u:2'])], [own, partner], never),
      undefined,
      ['b'],
    ],
    ['a new SVID', (c) => c.setSvids(minted('a', svid('new'))), ['a'], undefined],
    ['an SVID dropped', (c) => c.dropSvids(held(c, 'a')), undefined, undefined],
  ];
  for (const [what, change, toA, toB] of changes) {
    test(what, async () => {
      const { cache, a, b } = world();
      await unread(a);
      await unread(b);
      change(cache);
      const [newsA, newsB] = [await unread(a), await unread(b)];
      assert.deepEqual(newsA && ids(newsA), toA);
      assert.deepEqual(newsB && ids(newsB), toB);
    });
  }

  test('a subscriber waits until each of its entries has an SVID, or is gone', async () => {
    const { cache } = newCache();
    const both = [entry('a', ['u:1']), entry('b', ['u:1'])];
    cache.update(both, [own], never);
    const first = cache.subscribe(set('u:1'));
    cache.setSvids(minted('a', svid()));
    assert.equal(await unread(first), undefined);
    cache.setSvids(minted('b', svid()));
    assert.deepEqual(ids((await unread(first)) as WorkloadUpdate), ['a', 'b']);

    cache.dropSvids(held(cache, 'b'));
    const second = cache.subscribe(set('u:1'));
    assert.equal(await unread(second), undefined);
    cache.update(both.slice(0, 1), [own], never);
    assert.deepEqual(ids((await unread(second)) as WorkloadUpdate), ['a']);
  });

  test('a newer update replaces one that was not read', async () => {
    const { cache, a } = world();
    cache.setSvids(minted('a', svid('1')));
    cache.setSvids(minted('a', svid('2')));
    const update = (await unread(a)) as WorkloadUpdate;
    assert.deepEqual(update.identities[0]?.svid, svid('2'));
    assert.equal(await unread(a), undefined);
  });

  test('an SVID that came meanwhile is not dropped with its former', () => {
    const { cache } = world();
    const former = held(cache, 'a');
    cache.setSvids(minted('a', svid('new')));
    cache.dropSvids(former);
    assert.deepEqual(held(cache, 'a')[0]?.svid, svid('new'));
  });

  test('who loses its only SVID to a taint hears nothing before there is another', async () => {
    const { cache, a } = world();
    await unread(a);
    cache.dropSvids(held(cache, 'a'));
    const news = { ...own, sequenceNumber: 7n };
    cache.update([...cache.matchingEntries(set('u:1', 'p:x', 'u:2'))], [news], never);
    assert.equal(await unread(a), undefined, 'no identity would end its stream');
    mint(cache, 'new');
    const update = (await unread(a)) as WorkloadUpdate;
    assert.deepEqual(
      update.identities.map(({ svid: its }) => its),
      [svid('new')],
    );
    assert.equal(update.bundle.sequenceNumber, 7n);
  });

  test('who loses its entry after its SVID is told so', async () => {
    const { cache, a } = world();
    await unread(a);
    cache.dropSvids(held(cache, 'a'));
    cache.update([], [own], never);
    assert.deepEqual(ids((await unread(a)) as WorkloadUpdate), []);
  });

  test('who has left hears nothing and holds nothing', async () => {
    const { cache, a, b } = world();
    await unread(a);
    a[Symbol.dispose]();
    b[Symbol.dispose]();
    assert.equal(cache.subscriberCount, 0);
    cache.setSvids(minted('a', svid('new')));
    assert.equal(await unread(a), undefined);
  });

  test('waiting ends with the reason of the signal', async () => {
    const { a } = world();
    await unread(a);
    const gone = new AbortController();
    const next = a.next(gone.signal);
    gone.abort(new Error('caller is gone'));
    await assert.rejects(next, { message: 'caller is gone' });
    await assert.rejects(a.next(gone.signal), { message: 'caller is gone' });
  });
});

describe('all bundles', () => {
  test('the own one first, then the others by name; told when one changes, comes or goes', async () => {
    const { cache } = newCache();
    const signal = AbortSignal.timeout(1000);
    using listener = cache.subscribeBundles();
    const names = async () => (await listener.next(signal)).map((one) => one.trustDomain.name);
    assert.deepEqual(await names(), ['cache.test']);
    const last = emptyBundle(TrustDomain.parse('z.test'));
    cache.update([], [last, own, partner], never);
    assert.deepEqual(await names(), ['cache.test', 'b.test', 'z.test']);
    cache.update([], [last, own, partner], never);
    cache.update([], [{ ...last, sequenceNumber: 7n }, own], never);
    assert.deepEqual(await names(), ['cache.test', 'z.test']);
    assert.equal(cache.bundles[1]?.sequenceNumber, 7n);
  });
});

test('the SVID of an entry is told by the ID of the entry', () => {
  const { cache } = newCache();
  cache.update([entry('a', ['unix:uid:1'])], [own], never);
  assert.equal(cache.svidOf('a'), undefined);
  mint(cache, 'minted');
  assert.deepEqual(cache.svidOf('a'), svid('minted'));
  assert.equal(cache.svidOf('b'), undefined);
});

test('the revision grows with what is held, and with nothing else', () => {
  const { cache } = newCache();
  let last = cache.revision;
  const grew = () => {
    const before = last;
    last = cache.revision;
    return last > before;
  };
  cache.update([entry('a', ['u:1'])], [own], never);
  mint(cache);
  assert.ok(grew(), 'an SVID');
  cache.update([entry('a', ['u:1'], { hint: 'h' })], [own], never);
  assert.ok(grew(), 'an entry');
  cache.update([entry('a', ['u:1'], { hint: 'h' })], [{ ...own, sequenceNumber: 9n }], never);
  assert.ok(grew(), 'a bundle');
  cache.dropSvids([...cache.identities()]);
  assert.ok(grew(), 'an SVID that is dropped');
  cache.subscribe(set('u:1'))[Symbol.dispose]();
  assert.ok(!grew());
});
