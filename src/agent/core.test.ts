import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AgentWorld, fakeEntry, fakeTrustDomain, until } from '../../test/kit/agent-world.ts';
import { TestCa } from '../../test/kit/test-ca.ts';
import { type DenialReason, Fault } from '../base/fault.ts';
import { writePem } from '../crypto/pem.ts';
import { parseCertificate } from '../crypto/x509/certificate.ts';
import { createMemoryKeyManager } from '../plugins/key-manager/memory/memory-key-manager.ts';
import { joinTokenAgentAttestor } from '../plugins/node-attestor/join-token/agent.ts';
import type { AgentCoreOptions } from './core.ts';

const set = (...selectors: string[]) => new Set(selectors);
const soon = () => AbortSignal.timeout(5000);

/** The agent's data, as it is on the disk. */
async function stored({ directory }: AgentWorld) {
  return JSON.parse(await readFile(join(directory, 'data/agent-data.json'), 'utf8')) as {
    svid: string[] | null;
    bundle: string[] | null;
    bootstrap_use: number;
    connection_attempts: number;
  };
}

/** Lets an agent try once; its waiting is then given up. */
async function startsInVain(world: AgentWorld, more: Partial<AgentCoreOptions> = {}) {
  const given = new AbortController();
  const start = world.start(more, given.signal);
  start.catch(() => undefined);
  await until(() => world.clock.sleepers > 0, 'the first try');
  given.abort(new Error('given up'));
  await assert.rejects(start, { message: 'given up' });
}

describe('a start', () => {
  test('attests, synchronises, and mints what there is', async () => {
    await using world = await AgentWorld.create();
    world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
    const agent = await world.start();
    assert.deepEqual(
      world.server.calls.map(({ method, uri }) => [method, uri]),
      [
        ['AttestAgent', undefined],
        ['GetBundle', undefined],
        ...['PostStatus', 'SyncAuthorizedEntries', 'GetBundle', 'BatchNewX509SVID'].map((name) => [
          name,
          'spiffe://fake.test/spire/agent/join_token/token',
        ]),
      ],
    );
    const update = await agent.identities.subscribe(set('unix:uid:1')).next(soon());
    const leaf = parseCertificate(update.identities[0]?.svid.chain ?? new Uint8Array());
    assert.deepEqual(leaf.uris, ['spiffe://fake.test/web']);
    assert.deepEqual(update.bundle.jwtAuthorities, world.server.bundle.jwtAuthorities);
  });

  test('leaves what a restart needs, and the restart does not attest again', async () => {
    await using world = await AgentWorld.create();
    (await world.start())[Symbol.dispose]();
    const { svid, bundle, bootstrap_use: use, connection_attempts: attempts } = await stored(world);
    assert.deepEqual([svid?.length, bundle?.length, use, attempts], [1, 1, 2, 0]);
    await world.start();
    assert.equal(world.server.countOf('AttestAgent'), 1);
    assert.ok(world.messages().includes('SVID loaded'));
  });

  const lost: readonly [
    why: string,
    change: (world: AgentWorld) => void | Promise<void>,
    message: string,
  ][] = [
    [
      'its SVID has expired',
      ({ clock }) => clock.advance({ seconds: 3600 }),
      'SVID key recovered, but SVID is expired. Generating new keypair',
    ],
    [
      'its keys are gone',
      (world) => {
        world.keyManager = createMemoryKeyManager();
      },
      'SVID recovered, but no keys found. Generating new keypair',
    ],
    [
      'its key is gone, others are there',
      async (world) => {
        world.keyManager = createMemoryKeyManager();
        await world.keyManager.generateKey('agent-svid-B', 'ec-p256');
      },
      'SVID recovered, but no SVID key found. Generating new keypair',
    ],
  ];
  for (const [why, change, message] of lost) {
    test(`attests again when ${why}`, async () => {
      await using world = await AgentWorld.create();
      (await world.start())[Symbol.dispose]();
      await change(world);
      world.server.tokens.add('second');
      await world.start({ nodeAttestor: joinTokenAgentAttestor('second') });
      assert.equal(world.server.countOf('AttestAgent'), 2);
      assert.ok(world.messages().includes(message), world.messages().join('\n'));
    });
  }

  test('the key of an expired SVID is not overwritten: the new one has the other slot', async () => {
    await using world = await AgentWorld.create();
    (await world.start())[Symbol.dispose]();
    await world.clock.advance({ seconds: 3600 });
    await startsInVain(world);
    const keys = await world.keyManager.getKeys();
    assert.deepEqual(
      keys.map(({ id }) => id),
      ['agent-svid-A', 'agent-svid-B'],
    );
  });

  test('an insecure one believes who calls itself the server, and later goes by its bundle', async () => {
    await using world = await AgentWorld.create();
    await world.start({ bundleSource: { kind: 'insecure' } });
    assert.ok(
      world
        .messages()
        .includes('Insecure bootstrap enabled; skipping server certificate verification'),
    );
  });
});

describe('an agent that wants its keys agreed on in a way that lasts', () => {
  const requirePostQuantum = true;

  test('talks to a server that can', async () => {
    await using world = await AgentWorld.create();
    world.server.entries = [fakeEntry('web', ['unix:uid:1'])];
    const agent = await world.start({ requirePostQuantum });
    assert.equal(agent.status.x509SvidCount, 1);
  });

  test('attests to no other', async () => {
    await using world = await AgentWorld.create({ tlsGroups: 'X25519' });
    await startsInVain(world, { requirePostQuantum });
    assert.equal(world.server.calls.length, 0);
    assert.match(world.errorOf('Failed to retrieve attestation result'), /handshake failed/);
  });

  test('where it believes anybody, that begins with what it knows of the server', async () => {
    await using world = await AgentWorld.create({ tlsGroups: 'X25519' });
    await startsInVain(world, { requirePostQuantum, bundleSource: { kind: 'insecure' } });
    assert.deepEqual(
      world.server.calls.map(({ method }) => method),
      ['AttestAgent', 'GetBundle'],
    );
  });
});

describe('a start that fails', () => {
  test('is tried again with growing pauses for a minute, then ends with the last error', async () => {
    await using world = await AgentWorld.create();
    world.server.failures.set('AttestAgent', new Fault('unavailable', 'not yet'));
    const started = world.clock.now();
    const start = assert.rejects(world.start(), {
      message:
        'failed to receive attestation response: rpc error: code = Unavailable desc = not yet',
    });
    const pauses: number[] = [];
    for (const next of [5, 7.5, 11.25, 16.875]) {
      await until(() => world.clock.sleepers > 0, 'the next try');
      pauses.push(world.clock.now() - started);
      await world.clock.advance({ seconds: next });
    }
    await start;
    assert.equal(world.server.countOf('AttestAgent'), 5);
    assert.deepEqual(pauses, [0, 5000, 12_500, 23_750]);
    const warnings = world.lines.filter(
      ({ message }) => message === 'Failed to retrieve attestation result',
    );
    assert.deepEqual(
      warnings.map(({ fields }) => fields['retry_interval']),
      ['5s', '7.5s', '11.25s', '16.875s'],
    );
  });

  const ADVICE = /^A join token lets an agent in once: make another /;
  const tokenless: readonly [why: string, token: string | undefined, words: RegExp][] = [
    ['that is spent', 'gone', /join token does not exist or has already been used$/],
    ['that was not given', undefined, /join token was not provided$/],
  ];
  for (const [why, token, words] of tokenless) {
    test(`by a token ${why}, the log says what to do`, async () => {
      await using world = await AgentWorld.create();
      await startsInVain(world, { nodeAttestor: joinTokenAgentAttestor(token) });
      assert.match(world.errorOf('Failed to retrieve attestation result'), words);
      assert.ok(world.messages().some((message) => ADVICE.test(message)));
    });
  }

  test('by another fault, the log speaks of no token', async () => {
    await using world = await AgentWorld.create();
    world.server.failures.set('AttestAgent', new Fault('unavailable', 'not yet'));
    await startsInVain(world);
    assert.ok(!world.messages().some((message) => ADVICE.test(message)));
  });

  test('ends at once when the server refuses', async () => {
    await using world = await AgentWorld.create();
    world.server.failures.set('AttestAgent', new Fault('denied', 'agent is banned'));
    await assert.rejects(world.start(), { kind: 'denied', message: /agent is banned$/ });
    assert.equal(world.server.countOf('AttestAgent'), 1);
  });

  test('ends with the reason of the signal', async () => {
    await using world = await AgentWorld.create();
    world.server.failures.set('AttestAgent', new Fault('unavailable', 'not yet'));
    await startsInVain(world);
  });

  test('says when the server is of another trust', async () => {
    await using world = await AgentWorld.create();
    const other = await TestCa.create(fakeTrustDomain, { notBefore: 0, notAfter: 4_000_000_000 });
    await writeFile(
      join(world.directory, 'bundle.pem'),
      writePem('CERTIFICATE', other.certificate.der),
    );
    await startsInVain(world);
    assert.equal(
      world.errorOf('Failed to retrieve attestation result'),
      'could not open attestation stream to SPIRE server: rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake failed: x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority"',
    );
    assert.ok(
      world.messages().includes("Trust Bundle and Server don't agree, bootstrapping again"),
    );
    assert.ok(
      world
        .messages()
        .some((message) => message.startsWith('The bundle of trust_bundle_path has none')),
      world.messages().join('\n'),
    );
    assert.equal((await stored(world)).connection_attempts, 1);
  });

  test('counts its tries, and keeps the count over restarts', async () => {
    await using world = await AgentWorld.create();
    world.server.failures.set('AttestAgent', new Fault('unavailable', 'not yet'));
    await startsInVain(world);
    await startsInVain(world);
    const { connection_attempts: attempts, bootstrap_use: use } = await stored(world);
    assert.deepEqual([attempts, use], [2, 1]);
    world.server.failures.clear();
    await world.start();
    assert.equal((await stored(world)).connection_attempts, 0);
  });

  test('no server at all', async () => {
    await using world = await AgentWorld.create();
    await startsInVain(world, { serverPort: 1 });
    assert.match(
      world.errorOf('Failed to retrieve attestation result'),
      /^could not open attestation stream to SPIRE server: .*connection refused"$/,
    );
  });

  const refusals: readonly [DenialReason, string][] = [
    ['banned', 'Agent is banned: removing SVID and shutting down'],
    ['not-attested', 'Agent needs to re-attest: removing SVID and shutting down'],
    ['expired', 'Agent needs to re-attest: removing SVID and shutting down'],
  ];
  for (const [denial, message] of refusals) {
    test(`a server that says "${denial}" at the first synchronisation`, async () => {
      await using world = await AgentWorld.create();
      world.server.failures.set(
        'SyncAuthorizedEntries',
        new Fault('denied', 'go away', { denial }),
      );
      await assert.rejects(world.start(), { kind: 'denied', denial });
      assert.ok(world.messages().includes(message));
      assert.equal((await stored(world)).svid, null);
    });
  }

  test('the first synchronisation is tried again, status and all', async () => {
    await using world = await AgentWorld.create();
    world.server.failures.set('GetFederatedBundle', new Fault('unavailable', 'not yet'));
    world.server.failures.set('SyncAuthorizedEntries', new Fault('unavailable', 'not yet'));
    const start = world.start();
    await until(() => world.clock.sleepers > 0, 'the first try');
    world.server.failures.clear();
    await world.clock.advance({ seconds: 5 });
    await start;
    assert.equal(world.server.countOf('PostStatus'), 2);
    assert.equal(world.server.countOf('AttestAgent'), 1);
  });
});
