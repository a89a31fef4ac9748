import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import { type Holder, NOW, rootAuthority } from '../../test/kit/certificates.ts';
import { VirtualClock } from '../../test/kit/clock.ts';
import { eventually } from '../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { generateKey, type PrivateKey } from '../crypto/keys.ts';
import { writePem } from '../crypto/pem.ts';
import { buildCertificate, randomSerialNumber } from '../crypto/x509/build-certificate.ts';
import { AcmeCertificates, type AcmeKey, type CertificateKind } from './acme-certificates.ts';

const DOMAIN = 'bundles.b.test';
const DAY = 24 * 3600;

let root: Holder;
const keys = new Map<CertificateKind, PrivateKey>();
before(async () => {
  root = await rootAuthority('CA');
  keys.set('ecdsa', await generateKey('ec-p256'));
  keys.set('rsa', await generateKey('rsa-2048'));
});

const keyOf = (kind: CertificateKind): PrivateKey => keys.get(kind) ?? assert.fail(kind);

type Changes = { readonly name?: string; readonly days?: number; readonly key?: PrivateKey };

async function chainOf(
  key: Pick<PrivateKey, 'publicKey'>,
  from: number,
  { name = DOMAIN, days = 90 }: Changes = {},
): Promise<string> {
  const { certificate } = root;
  const der = await buildCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: certificate.subject,
      subject: certificate.subject,
      notBefore: from,
      notAfter: from + days * DAY,
      publicKey: key.publicKey.spki,
      keyUsage: ['digitalSignature'],
      dnsNames: [name],
      uris: [],
    },
    root.key,
  );
  return writePem('CERTIFICATE', der) + writePem('CERTIFICATE', certificate.der);
}

type WorldOptions = {
  readonly cached?: (kind: CertificateKind) => Promise<string>;
  readonly order?: (key: Pick<PrivateKey, 'publicKey'>, at: number) => Promise<string>;
};

function start(t: TestContext, { cached, order = chainOf }: WorldOptions = {}) {
  const clock = new VirtualClock(NOW * 1000);
  const lines: LogLine[] = [];
  const world = {
    clock,
    lines,
    orders: 0,
    changes: 0,
    kept: new Map<CertificateKind, string>(),
    order,
    /** What an order fails with. */
    failure: undefined as Error | undefined,
    keep: true,
  };
  const certificates = new AcmeCertificates({
    domain: DOMAIN,
    key: async (kind): Promise<AcmeKey> => keyOf(kind),
    cache: {
      read: async (kind) => world.kept.get(kind) ?? (await cached?.(kind)),
      async write(kind, chain) {
        if (!world.keep) throw new Error('disk full');
        world.kept.set(kind, chain);
      },
    },
    async order(key) {
      world.orders += 1;
      if (world.failure) throw world.failure;
      return world.order(key, clock.now() / 1000);
    },
    clock,
    random: () => 0.5,
    log: recordingLog(lines),
    onChange: () => {
      world.changes += 1;
    },
  });
  t.after(() => certificates[Symbol.asyncDispose]());
  return Object.assign(world, { certificates });
}

/** Moves the clock, and waits until nothing is under way any more. */
async function pass({ clock }: { clock: VirtualClock }, seconds: number): Promise<void> {
  await clock.advance({ seconds });
  await eventually(() => clock.sleepers === 1, 'rest');
}

test('a certificate is ordered when it is first needed, once for all who ask', async (t) => {
  const world = start(t);
  const { certificates } = world;
  assert.deepEqual(certificates.current(), []);
  assert.equal(world.orders, 0);
  await Promise.all([certificates.ensure('ecdsa'), certificates.ensure('ecdsa')]);
  await certificates.ensure('ecdsa');
  assert.equal(world.orders, 1);
  assert.equal(world.changes, 1);
  const [pair, ...others] = certificates.current();
  assert.deepEqual(others, []);
  assert.equal(pair?.cert, world.kept.get('ecdsa'));
  assert.equal(pair?.key, writePem('PRIVATE KEY', keyOf('ecdsa').toPkcs8()));
  await certificates.ensure('rsa');
  assert.equal(certificates.current().length, 2);
  assert.equal(certificates.current()[0], pair);
});

test('it is renewed thirty days before its end', async (t) => {
  const world = start(t);
  await world.certificates.ensure('ecdsa');
  await pass(world, 60 * DAY - 1801);
  assert.equal(world.orders, 1);
  await pass(world, 1);
  assert.equal(world.orders, 2);
  assert.equal(world.changes, 2);
  assert.equal(world.certificates.current()[0]?.cert, world.kept.get('ecdsa'));
});

test('one with a short life is renewed in its last third', async (t) => {
  const world = start(t, { order: (key, at) => chainOf(key, at, { days: 6 }) });
  await world.certificates.ensure('ecdsa');
  await pass(world, 3 * DAY);
  assert.equal(world.orders, 1);
  await pass(world, DAY);
  assert.equal(world.orders, 2);
});

test('a failed renewal leaves the certificate, and is tried again within the hour', async (t) => {
  const world = start(t);
  await world.certificates.ensure('ecdsa');
  const [first] = world.certificates.current();
  world.failure = new Error('no CA');
  await pass(world, 60 * DAY);
  assert.deepEqual(world.lines.at(-1), {
    message: 'Failed to renew certificate',
    fields: { error: 'no CA' },
  });
  await world.certificates.ensure('ecdsa');
  assert.equal(world.certificates.current()[0], first);
  assert.equal(world.orders, 2);
  world.failure = undefined;
  await pass(world, 45 * 60);
  assert.equal(world.orders, 3);
  assert.notEqual(world.certificates.current()[0], first);
});

test('a failed first order is told to all who ask for a minute', async (t) => {
  const world = start(t);
  world.failure = new Error('no CA');
  await assert.rejects(world.certificates.ensure('ecdsa'), { message: 'no CA' });
  world.failure = undefined;
  await world.clock.advance({ seconds: 59 });
  await assert.rejects(world.certificates.ensure('ecdsa'), { message: 'no CA' });
  assert.equal(world.orders, 1);
  await world.clock.advance({ seconds: 1 });
  await world.certificates.ensure('ecdsa');
  assert.equal(world.orders, 2);
});

test('a certificate that has expired meanwhile is ordered anew', async (t) => {
  const world = start(t);
  await world.certificates.ensure('ecdsa');
  world.failure = new Error('no CA');
  await pass(world, 91 * DAY);
  await assert.rejects(world.certificates.ensure('ecdsa'), { message: 'no CA' });
  world.failure = undefined;
  await pass(world, 60);
  await world.certificates.ensure('ecdsa');
});

test('what was kept is used again', async (t) => {
  const world = start(t, { cached: (kind) => chainOf(keyOf(kind), NOW - 10 * DAY) });
  await world.certificates.ensure('ecdsa');
  assert.equal(world.orders, 0);
  await pass(world, 50 * DAY);
  assert.equal(world.orders, 1);
});

const unusable: readonly [what: string, chain: () => Promise<string>, why: string][] = [
  ['is none', async () => 'nonsense', 'no certificate'],
  ['is for another key', () => chainOf(root.key, NOW - DAY), 'certificate is for another key'],
  [
    'is for another name',
    () => chainOf(keyOf('ecdsa'), NOW - DAY, { name: 'other.test' }),
    'certificate is for another name',
  ],
  ['has expired', () => chainOf(keyOf('ecdsa'), NOW - 100 * DAY), 'certificate is not valid now'],
  ['is not valid yet', () => chainOf(keyOf('ecdsa'), NOW + 1), 'certificate is not valid now'],
];
for (const [what, chain, why] of unusable) {
  test(`what was kept and ${what} is replaced`, async (t) => {
    const world = start(t, { cached: chain });
    await world.certificates.ensure('ecdsa');
    assert.equal(world.orders, 1);
    assert.deepEqual(world.lines[0], {
      message: 'Cached certificate cannot be used',
      fields: { error: why },
    });
  });

  test(`what a server issues and ${what} is refused`, async (t) => {
    const world = start(t, { order: chain });
    await assert.rejects(world.certificates.ensure('ecdsa'), { kind: 'invalid', message: why });
    assert.deepEqual(world.certificates.current(), []);
    assert.equal(world.kept.size, 0);
  });
}

test('a certificate that cannot be kept is used all the same', async (t) => {
  const world = start(t);
  world.keep = false;
  await world.certificates.ensure('ecdsa');
  assert.equal(world.certificates.current().length, 1);
  assert.deepEqual(world.lines.at(-1), {
    message: 'Failed to keep certificate',
    fields: { error: 'disk full' },
  });
});

test('a key that cannot leave its manager is of no use', async (t) => {
  const clock = new VirtualClock(NOW * 1000);
  const { publicKey } = keyOf('ecdsa');
  const certificates = new AcmeCertificates({
    domain: DOMAIN,
    key: async () => ({ publicKey, sign: () => assert.fail('signed') }),
    cache: { read: async () => undefined, write: async () => undefined },
    order: (key) => chainOf(key, NOW),
    clock,
    random: () => 0,
    log: recordingLog([]),
    onChange: () => assert.fail('changed'),
  });
  t.after(() => certificates[Symbol.asyncDispose]());
  await assert.rejects(certificates.ensure('ecdsa'), {
    kind: 'failed-precondition',
    message: 'the key manager keeps its keys to itself, but TLS needs the key of its certificate',
  });
});

test('nothing runs after it was disposed of', async (t) => {
  const world = start(t);
  await world.certificates.ensure('ecdsa');
  assert.equal(world.clock.sleepers, 1);
  await world.certificates[Symbol.asyncDispose]();
  assert.equal(world.clock.sleepers, 0);
});
