import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { CaWorld, DAY, HOUR } from '../../../test/kit/authorities.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { temporaryFolder } from '../../../test/kit/datastore.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { unixSeconds } from '../../base/clock.ts';
import { generateKey } from '../../crypto/keys.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { openDiskKeyManager } from '../../plugins/key-manager/disk/disk-key-manager.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../spiffe/x509-svid.ts';
import {
  EntriesSchema,
  Status,
  X509CAEntrySchema,
} from '../../wire/gen/private/server/journal/journal_pb.ts';
import { storedBundleFromBytes } from '../../wire/stored-bundle.ts';
import type { CaJournalRow } from '../datastore/contract.ts';
import type { Authority } from './authority.ts';
import { decodeEntries } from './journal.ts';
import type { Slot } from './slots.ts';
import type { Authorities } from './start-authorities.ts';

const golden = TrustDomain.parse('golden.test');
const data = join(import.meta.dirname, '../../../test/data/fixtures/server/data');

/** What SPIRE left on disk. */
async function goldenWorld(t: TestContext): Promise<CaWorld> {
  const folder = await temporaryFolder(t);
  for (const name of ['keys.json', 'datastore.sqlite3']) {
    await copyFile(join(data, name), join(folder, name));
  }
  using db = new DatabaseSync(join(folder, 'datastore.sqlite3'));
  const world = new CaWorld();
  world.clock = new VirtualClock(Date.UTC(2026, 11, 1));
  world.keyManager = await openDiskKeyManager(join(folder, 'keys.json'));
  const bundle = db.prepare('SELECT data FROM bundles WHERE trust_domain = ?');
  const row = bundle.get(golden.idString) as { data: Uint8Array };
  world.bundles.byName.set(golden.name, storedBundleFromBytes(row.data));
  const journal = db
    .prepare('SELECT data, active_x509_authority_id AS activeX509AuthorityId FROM ca_journals')
    .get() as Omit<CaJournalRow, 'id'>;
  await world.journals.save({ id: 0, ...journal });
  return world;
}

const goldenConfig = {
  trustDomain: golden,
  witKeyType: 'ec-p256',
  caTtlSeconds: 262_800 * HOUR,
} as const;

const active = 'f332a694d861b73bd65985b5d102e51461fde84a';
const prepared = '0f517ff920681c5bca6a1268502093b4c9ccaf72';

test("goes on with SPIRE's authorities", async (t) => {
  const world = await goldenWorld(t);
  const before = world.bundle(golden);
  const journal = journalIn(world);
  await using authorities = await world.start(goldenConfig);
  assert.deepEqual(heldIds(authorities), [
    [`A ${active} active`, `B ${prepared} prepared`],
    ['A CzvGFJXjEpXy4qosBFmN3ejukZpAtIR8 active', 'B InAb5LcAWlQKZR2iq6sbmItNRecjQ7cM prepared'],
    ['A yqatEqCnaQp6eALYF4gCyag2oz2BtcZm active', 'B'],
  ]);
  assert.deepEqual(world.bundle(golden), before);
  assert.deepEqual(journalIn(world), journal);
});

test('activates what SPIRE prepared when its time has come', async (t) => {
  const world = await goldenWorld(t);
  const before = world.bundle(golden);
  world.clock = new VirtualClock(Date.UTC(2056, 10, 9));
  await using authorities = await world.start(goldenConfig);
  assert.deepEqual(heldIds(authorities).slice(0, 2), [
    [`B ${prepared} active`, `A ${active} old`],
    ['B InAb5LcAWlQKZR2iq6sbmItNRecjQ7cM active', 'A CzvGFJXjEpXy4qosBFmN3ejukZpAtIR8 old'],
  ]);
  assert.deepEqual(world.bundle(golden).x509Authorities, before.x509Authorities);
  assert.equal(world.journals.rows.get(1)?.activeX509AuthorityId, prepared);
  assert.deepEqual(
    journalIn(world).x509CAs.map(({ status }) => status),
    [Status.OLD, Status.ACTIVE],
  );
});

test('keys that are switched off are left as they are', async (t) => {
  const world = await goldenWorld(t);
  await using _ = await world.start({ ...goldenConfig, jwtKeyType: undefined });
  assert.equal(journalIn(world).jwtKeys.length, 2);
});

const journalIn = (world: CaWorld) =>
  decodeEntries([...world.journals.rows.values()].at(-1)?.data ?? new Uint8Array());

const heldIds = ({ manager: { x509, jwt, wit } }: Authorities): string[][] =>
  [x509, jwt, wit].map((slots) => (slots ? [slots.current, slots.next].map(heldId) : []));

const heldId = ({ id, held }: Slot<Authority>): string =>
  held ? `${id} ${held.authority.authorityId} ${held.status}` : id;

/** A valid journal with one X.509 CA, and what is done to it. */
const unusable: readonly [why: string, reason: string, spoil: (world: CaWorld) => unknown][] = [
  [
    'its key is gone',
    'no key manager key',
    (world) => {
      const { keyManager } = world;
      world.keyManager = {
        ...keyManager,
        getKeys: () => keyManager.getKeys(),
        getKey: async () => undefined,
        generateKey: (id, type) => keyManager.generateKey(id, type),
      };
    },
  ],
  [
    'its key was made over',
    'public key does not match key manager key',
    async (world) => {
      const former = await world.keyManager.getKeys();
      await world.keyManager.generateKey('x509-CA-A', 'ec-p256');
      const { keyManager } = world;
      world.keyManager = {
        ...keyManager,
        getKeys: async () => former,
        getKey: (id) => keyManager.getKey(id),
        generateKey: (id, type) => keyManager.generateKey(id, type),
      };
    },
  ],
  [
    'the bundle does not hold it any more',
    'certificate is not in the bundle',
    (world) => world.bundles.byName.clear(),
  ],
  [
    'it has no slot',
    'no slot id',
    (world) => changeEntry(world, (entry) => ({ ...entry, slotId: '' })),
  ],
  [
    'its end is not told',
    'slot expired',
    (world) => changeEntry(world, (entry) => ({ ...entry, notAfter: 0n })),
  ],
];

type X509CaEntry = ReturnType<typeof decodeEntries>['x509CAs'][number];

async function changeEntry(world: CaWorld, change: (entry: X509CaEntry) => X509CaEntry) {
  const [row] = world.journals.rows.values();
  assert.ok(row);
  const entries = decodeEntries(row.data);
  entries.x509CAs = entries.x509CAs.map((entry) => create(X509CAEntrySchema, change(entry)));
  await world.journals.save({ ...row, data: toBinary(EntriesSchema, entries) });
}

for (const [why, reason, spoil] of unusable) {
  test(`an X.509 CA is made anew where ${why}`, async () => {
    const world = new CaWorld();
    let former: string | undefined;
    {
      await using authorities = await world.start({ jwtKeyType: undefined });
      former = authorities.manager.x509.active?.authorityId;
    }
    await spoil(world);
    const lines: LogLine[] = [];
    await using authorities = await world.start(
      { jwtKeyType: undefined },
      { log: recordingLog(lines) },
    );
    assert.notEqual(authorities.manager.x509.active?.authorityId, former);
    const told = lines.find(({ message }) => message === 'X509 CA slot unusable');
    assert.equal(told?.fields['error'], reason);
  });
}

test('a JWT key that the bundle does not hold any more is made anew', async () => {
  const world = new CaWorld();
  {
    await using _ = await world.start();
  }
  const bundle = world.bundle();
  world.bundles.byName.set(bundle.trustDomain.name, { ...bundle, jwtAuthorities: [] });
  await using authorities = await world.start();
  assert.deepEqual(
    world.bundle().jwtAuthorities.map(({ keyId }) => keyId),
    [authorities.manager.jwt?.active?.authorityId],
  );
});

test('a certificate in the journal that cannot be decoded stops the start', async () => {
  const world = new CaWorld();
  {
    await using _ = await world.start();
  }
  await changeEntry(world, (entry) => ({ ...entry, certificate: Uint8Array.of(1) }));
  await assert.rejects(world.start(), {
    kind: 'internal',
    message: /^unable to parse CA certificate: /,
  });
});

/**
 * Starts on that world and "ends the process" at a point: odd ones lie before a write, even ones after it.
 * Resolves with false if the start got by without reaching it.
 */
async function startAndCrashAt(point: number, world: CaWorld): Promise<boolean> {
  const crashed = Promise.withResolvers<true>();
  let passed = 0;
  const pass = () => {
    if (++passed < point) return undefined;
    crashed.resolve(true);
    return new Promise<never>(() => undefined); // nothing happens in a process that has ended
  };
  const write = async <T>(what: () => Promise<T>): Promise<T> => {
    await pass();
    const result = await what();
    await pass();
    return result;
  };
  const doomed = new CaWorld();
  const { journals, bundles, keyManager } = world;
  doomed.clock = new VirtualClock(world.clock.now());
  doomed.journals.findByActiveX509Authority = (id) => journals.findByActiveX509Authority(id);
  doomed.journals.save = (row) => write(() => journals.save(row));
  doomed.bundles.get = (trustDomain) => bundles.get(trustDomain);
  doomed.bundles.modify = (trustDomain, change) => write(() => bundles.modify(trustDomain, change));
  doomed.keyManager = {
    getKeys: () => keyManager.getKeys(),
    getKey: (id) => keyManager.getKey(id),
    generateKey: (id, type) => write(() => keyManager.generateKey(id, type)),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const start = doomed.start().then(async (authorities) => {
    await authorities[Symbol.asyncDispose]();
    return false;
  });
  return Promise.race([crashed.promise, start]);
}

const workload = SpiffeId.parse('spiffe://example.org/workload');

async function issueChain({ issuer }: Authorities): Promise<readonly Uint8Array[]> {
  const { publicKey } = await generateKey('ec-p256');
  const request = { id: workload, publicKey, dnsNames: [], ttlSeconds: DAY };
  return (await issuer.workloadX509Svid(request)).chain;
}

const activeIds = ({ manager: { x509, jwt } }: Authorities) => [
  x509.active?.authorityId,
  jwt?.active?.authorityId,
];

async function startAt(world: CaWorld, hours: number, use: (running: Authorities) => unknown) {
  world.clock = new VirtualClock(Date.UTC(2026, 0, 1) + hours * HOUR * 1000);
  await using authorities = await world.start();
  await use(authorities);
}

const isUnexpired =
  ({ clock }: CaWorld) =>
  ([leaf]: readonly Uint8Array[]) =>
    leaf !== undefined && parseCertificate(leaf).notAfter > unixSeconds(clock);

/** Hours after the first start, at which the world is started before the crash and at it. */
for (const [what, startedBefore, crashedAt, keepsActive] of [
  ['a first start', [], 0, false],
  ['a restart', [0], 1, true],
  ['preparing successors', [0], 13, true],
  ['activating what was prepared', [0, 13], 21, false],
  ['preparing late', [0], 21, true],
  ['preparing where the old ones are', [0, 13, 21], 26, true],
] as const) {
  test(`a crash anywhere in ${what} leaves what the next start goes on with`, async () => {
    let points = 0;
    for (let crashed = true; crashed; ) {
      const world = new CaWorld();
      const chains: (readonly Uint8Array[])[] = [];
      let activeBefore: unknown;
      for (const hours of startedBefore) {
        await startAt(world, hours, async (authorities) => {
          chains.push(await issueChain(authorities));
          activeBefore = activeIds(authorities);
        });
      }
      world.clock = new VirtualClock(Date.UTC(2026, 0, 1) + crashedAt * HOUR * 1000);
      crashed = await startAndCrashAt(++points, world);
      let activeAfter: unknown;
      await startAt(world, crashedAt, async (authorities) => {
        chains.push(await issueChain(authorities));
        activeAfter = activeIds(authorities);
      });
      if (keepsActive) assert.deepEqual(activeAfter, activeBefore);
      await startAt(world, crashedAt, (authorities) => {
        assert.deepEqual(activeIds(authorities), activeAfter, 'and so does the start after that');
      });
      for (const chain of chains.filter(isUnexpired(world))) {
        await verifyX509Svid(chain, () => world.bundle(), unixSeconds(world.clock));
      }
      assert.equal(world.journals.rows.size, 1);
    }
    assert.ok(points > 4, `${points} points`);
  });
}
