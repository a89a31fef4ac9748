import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SvidStore, SvidToStore } from './contract.ts';

export type OpenStore = {
  readonly store: SvidStore;
  /** Metadata for an SVID of that name. */
  readonly metadata: (name: string) => readonly string[];
  /** SPIFFE IDs of what is stored, by name. */
  readonly stored: () => Promise<Readonly<Record<string, string>>>;
};

const svid = (path: string, more: Partial<SvidToStore> = {}): SvidToStore => ({
  spiffeId: `spiffe://store.test/${path}`,
  chain: [Uint8Array.of(1, 2, 3)],
  privateKey: Uint8Array.of(4, 5, 6),
  bundle: [Uint8Array.of(7, 8, 9)],
  expiresAt: 2_000_000_000,
  federatedBundles: new Map(),
  ...more,
});

/** What every SVID store promises. `open` makes an empty one for each test; the suite closes it. */
export function svidStoreSuite(
  name: string,
  open: () => Promise<OpenStore & AsyncDisposable>,
): void {
  const { signal } = new AbortController();
  const spec = (what: string, run: (opened: OpenStore) => Promise<void>) => {
    test(`the SVID store ${name} ${what}`, async () => {
      await using opened = await open();
      assert.equal(opened.store.name, name);
      await run(opened);
    });
  };

  spec('keeps what is put, each under its name', async ({ store, metadata, stored }) => {
    await store.put(svid('a'), metadata('one'), signal);
    await store.put(svid('b'), metadata('two'), signal);
    assert.deepEqual(await stored(), {
      one: 'spiffe://store.test/a',
      two: 'spiffe://store.test/b',
    });
  });

  spec('puts a new SVID in the place of the former one', async ({ store, metadata, stored }) => {
    await store.put(svid('a'), metadata('one'), signal);
    await store.put(svid('b'), metadata('one'), signal);
    assert.deepEqual(await stored(), { one: 'spiffe://store.test/b' });
  });

  spec('deletes what it is told to and nothing else', async ({ store, metadata, stored }) => {
    await store.put(svid('a'), metadata('one'), signal);
    await store.put(svid('b'), metadata('two'), signal);
    await store.delete(metadata('one'), signal);
    assert.deepEqual(await stored(), { two: 'spiffe://store.test/b' });
  });

  spec('deletes what is not there without complaint', async ({ store, metadata, stored }) => {
    await store.delete(metadata('nothing'), signal);
    assert.deepEqual(await stored(), {});
  });

  const refusals: readonly [why: string, metadata: readonly string[], text: string][] = [
    ['without a colon', ['name'], 'metadata does not contain a colon: "name"'],
    ['without a name', ['other:x'], ''],
    ['that are none', [], ''],
  ];
  for (const [why, metadata, text] of refusals) {
    spec(`refuses metadata ${why}`, async ({ store, stored }) => {
      const expected = {
        name: 'Fault',
        kind: 'invalid',
        message: new RegExp(`^svidstore\\(${name}\\): ${text || '.'}`),
      };
      await assert.rejects(store.put(svid('a'), metadata, signal), expected);
      await assert.rejects(store.delete(metadata, signal), expected);
      assert.deepEqual(await stored(), {});
    });
  }
}
