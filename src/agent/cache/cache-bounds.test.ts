import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import { parseSelector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { JwtSvidCache, jwtSvidKey } from './jwt-svid-cache.ts';
import type { Subscription } from './subscriber.ts';
import type { X509Svid } from './workload-update.ts';
import { X509Cache } from './x509-cache.ts';

const trustDomain = TrustDomain.parse('cache.test');
const SELECTORS = ['a:1', 'a:2', 'a:3', 'a:4', 'b:1', 'b:2', 'b:3', 'b:4'];
const ENTRY_IDS = ['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7'];
const MAX_SIZE = 3;

/** What an agent's day is made of. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant('sync' as const),
    entries: fc.uniqueArray(
      fc.record({
        id: fc.constantFrom(...ENTRY_IDS),
        selectors: fc.uniqueArray(fc.constantFrom(...SELECTORS), { minLength: 1, maxLength: 2 }),
        revisionNumber: fc.nat(2),
        disableX509SvidPrefetch: fc.boolean(),
      }),
      { selector: ({ id }) => id, minLength: 4 },
    ),
    isDue: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('subscribe' as const),
    selectors: fc.uniqueArray(fc.constantFrom(...SELECTORS), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('leave' as const), index: fc.nat(5) }),
  fc.record({ kind: fc.constant('mint' as const), atMost: fc.nat(8) }),
  fc.record({ kind: fc.constant('taint' as const), index: fc.nat(7) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Day {
  readonly clock = new VirtualClock();
  readonly cache = new X509Cache({
    trustDomain,
    bundle: emptyBundle(trustDomain),
    maxSize: MAX_SIZE,
    metrics: noMetrics,
    clock: this.clock,
    log: silentLog,
    onMissing: () => {},
  });
  entries: readonly AuthorizedEntry[] = [];
  readonly subscribers: { selectors: ReadonlySet<string>; subscription: Subscription }[] = [];

  async play(what: Step): Promise<void> {
    switch (what.kind) {
      case 'sync':
        this.entries = what.entries.map(entryOf);
        this.cache.update(this.entries, [emptyBundle(trustDomain)], () => what.isDue);
        break;
      case 'subscribe': {
        const selectors = new Set(what.selectors);
        this.subscribers.push({ selectors, subscription: this.cache.subscribe(selectors) });
        break;
      }
      case 'leave':
        this.subscribers.splice(what.index, 1)[0]?.subscription[Symbol.dispose]();
        break;
      case 'mint':
        this.mint(what.atMost);
        break;
      case 'taint':
        this.cache.dropSvids([...this.cache.identities()].slice(what.index, what.index + 1));
        break;
      default:
        what satisfies never;
    }
    await this.clock.advance({ milliseconds: 1 });
  }

  mint(atMost: number): void {
    const asked = this.cache.staleEntries().slice(0, atMost);
    this.cache.setSvids(new Map(asked.map(({ entry }) => [entry, svidOf(entry)])));
  }

  isWanted({ selectors }: AuthorizedEntry): boolean {
    const texts = selectors.map(({ type, value }) => `${type}:${value}`);
    return this.subscribers.some(({ selectors: own }) => texts.some((text) => own.has(text)));
  }

  /** What somebody with these selectors is to be told, by the definition. */
  matching(selectors: ReadonlySet<string>): string[] {
    return this.entries
      .filter((entry) =>
        entry.selectors.every(({ type, value }) => selectors.has(`${type}:${value}`)),
      )
      .map(({ id }) => id)
      .sort();
  }
}

const entryOf = (fields: {
  readonly id: string;
  readonly selectors: readonly string[];
  readonly revisionNumber: number;
  readonly disableX509SvidPrefetch: boolean;
}): AuthorizedEntry => ({
  ...fields,
  spiffeId: SpiffeId.of(trustDomain, `/${fields.id}`),
  selectors: fields.selectors.map(parseSelector),
  federatesWith: [],
  admin: false,
  downstream: false,
  storeSvid: false,
  hint: '',
  createdAt: 0,
});

const svidOf = ({ id, revisionNumber }: AuthorizedEntry): X509Svid => ({
  chain: Buffer.from(`${id} ${revisionNumber}`),
  privateKey: new Uint8Array(),
  notBefore: 0,
  notAfter: 100,
});

test('whatever happens, there are never more SVIDs than the limit, or than subscribers want', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const day = new Day();
      let bound = MAX_SIZE;
      for (const what of steps) {
        await day.play(what);
        const held = [...day.cache.identities()].map(({ entry }) => entry);
        const wanted = day.entries.filter((entry) => day.isWanted(entry)).length;
        const isSettled = what.kind === 'sync' || what.kind === 'mint';
        // In between it can only shrink: a subscriber that leaves takes nothing along.
        bound = isSettled ? Math.max(MAX_SIZE, wanted) : Math.max(bound, MAX_SIZE);
        assert.equal(day.cache.svidCount, held.length);
        assert.ok(held.length <= bound, `${held.length} SVIDs, ${bound} may be`);
        assert.ok(held.every(({ id }) => day.entries.some((entry) => entry.id === id)));
      }
    }),
    { numRuns: 300 },
  );
});

test('no more is asked for than there is room for, but for what subscribers want', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const day = new Day();
      for (const what of steps) await day.play(what);
      const held = new Set([...day.cache.identities()].map(({ entry }) => entry.id));
      const asked = day.cache.staleEntries().map(({ entry }) => entry);
      const isNew = asked.filter(({ id }) => !held.has(id));
      const unwanted = isNew.filter((entry) => !day.isWanted(entry));
      if (unwanted.length > 0) assert.ok(held.size + isNew.length <= MAX_SIZE);
    }),
    { numRuns: 300 },
  );
});

test('once all is minted, each subscriber was last told what it matches, in the order of the entries', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const day = new Day();
      for (const what of steps) await day.play(what);
      for (let pass = 0; pass < 3; pass++) day.mint(ENTRY_IDS.length);
      assert.deepEqual(day.cache.staleEntries(), []);
      for (const { selectors, subscription } of day.subscribers) {
        if (selectors.size === 0) continue; // was told once and no more
        const told = await subscription.next(AbortSignal.timeout(1000));
        assert.deepEqual(
          told.identities.map(({ entry }) => entry.id),
          day.matching(selectors),
        );
        for (const { entry, svid } of told.identities) assert.deepEqual(svid, svidOf(entry));
      }
    }),
    { numRuns: 300 },
  );
});

test('a cache of tokens never holds more than it may, and forgets the least recently used', () => {
  const id = SpiffeId.parse('spiffe://cache.test/web');
  const audience = fc.constantFrom('1', '2', '3', '4', '5');
  const use = fc.record({ kind: fc.constantFrom('get' as const, 'set' as const), audience });
  fc.assert(
    fc.property(
      fc.array(use, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      (uses, maxSize) => {
        const cache = new JwtSvidCache(maxSize);
        /** Keys in the order of their last use. */
        let model: string[] = [];
        for (const what of uses) {
          const key = jwtSvidKey(id, [what.audience]);
          if (what.kind === 'get') {
            const found = cache.get(id, [what.audience]);
            assert.equal(found?.token, model.includes(key) ? what.audience : undefined);
            if (found !== undefined) model = [...model.filter((other) => other !== key), key];
          } else {
            cache.set(id, [what.audience], { token: what.audience, issuedAt: 0, expiresAt: 1 });
            if (model.length >= maxSize) model.shift();
            model = [...model.filter((other) => other !== key), key];
          }
          assert.equal(cache.size, model.length);
          assert.ok(cache.size <= maxSize);
        }
      },
    ),
  );
});
