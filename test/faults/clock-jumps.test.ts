import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';
import { bundleFromProto } from '../../src/wire/bundle.ts';
import { Health } from '../../src/wire/gen/grpc/health/v1/health_pb.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { VirtualClock } from '../kit/clock.ts';
import { attest, tokenProof } from '../kit/hand-over/attest.ts';
import { eventually } from '../kit/programs.ts';
import { type LogLine, recordingLog } from '../kit/recording-log.ts';
import { TestServer } from '../kit/server.ts';

const DAY = 24 * 3600;
const CA_TTL = DAY;
const trustDomain = 'example.org';

type World = {
  readonly server: TestServer;
  readonly clock: VirtualClock;
  readonly lines: LogLine[];
};

/** A server with an entry and a token that are good for two days. */
async function start(t: TestContext): Promise<World> {
  const clock = new VirtualClock(Date.UTC(2026, 5, 1));
  const lines: LogLine[] = [];
  const server = await TestServer.start(t, { clock, log: recordingLog(lines) });
  using local = server.dialLocal();
  const { results } = await local.client(Entry).batchCreateEntry({
    entries: [
      {
        id: 'kept',
        spiffeId: { trustDomain, path: '/web' },
        parentId: { trustDomain, path: '/node' },
        selectors: [{ type: 'unix', value: 'uid:1' }],
        expiresAt: BigInt(clock.now() / 1000 + 2 * DAY),
      },
    ],
  });
  assert.equal(results[0]?.status?.code, 0);
  return { server, clock, lines };
}

const seconds = ({ clock }: World): number => clock.now() / 1000;

/** That what it signs and shows is good by its own clock, and that its bundle verifies it. */
async function checkSound(world: World): Promise<void> {
  const { server } = world;
  using local = server.dialLocal();
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [`spiffe://${trustDomain}/web`], dnsNames: [] }, key);
  const { svid } = await local.client(SVID).mintX509SVID({ csr, ttl: 60 });
  const bundle = bundleFromProto(await local.client(Bundle).getBundle({}));
  const now = seconds(world);
  await verifyX509Svid(svid?.certChain ?? [], () => bundle, now);
  const shown = parseCertificate(await serverCertificate(server));
  assert.ok(shown.notBefore <= now && now < shown.notAfter, "the server's own SVID");
  const { svid: jwt } = await local
    .client(SVID)
    .mintJWTSVID({ id: { trustDomain, path: '/web' }, audience: ['a'], ttl: 60 });
  assert.ok(Number(jwt?.expiresAt) > now && Number(jwt?.issuedAt) <= now);
  assert.equal((await local.client(Health).check({})).status, 1);
}

/** What the TLS port shows. */
async function serverCertificate({ port }: TestServer): Promise<Uint8Array> {
  const socket = connectTls({ port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve).once('error', reject);
  });
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return raw;
}

/** A round of every loop, and what they start. */
async function pass({ clock }: World, passed = 30): Promise<void> {
  for (let at = 0; at < passed; at += 5) {
    await clock.advance({ seconds: 5 });
    await new Promise((resolve) => setTimeout(resolve, 10)); // keys are made on other threads
  }
}

const told = ({ lines }: World, message: RegExp) =>
  lines.filter(({ message: said }) => message.test(said)).length;

const jumps: readonly [what: string, seconds: number][] = [
  ['an hour forward', 3600],
  ['over the end of the authorities', 3 * CA_TTL],
  ['a year forward', 365 * DAY],
  ['an hour back', -3600],
  ['a year back', -365 * DAY],
];
for (const [what, jump] of jumps) {
  test(`a clock that is set ${what} and right again costs nothing that was acknowledged`, async (t) => {
    const world = await start(t);
    await checkSound(world);
    for (const by of [jump, -jump]) {
      world.clock.jump({ seconds: by });
      await pass(world);
      await eventually(
        () =>
          checkSound(world).then(
            () => true,
            () => pass(world, 5).then(() => false),
          ),
        `a sound server after ${by} s`,
      );
      assert.equal(
        told(world, by > 0 ? /^The clock was set forward/ : /^The clock was set back/),
        1,
      );
    }
    await world.clock.advance({ seconds: 1800 }); // pruning would have come
    using local = world.server.dialLocal();
    const { entries } = await local.client(Entry).listEntries({});
    assert.deepEqual(
      entries.map(({ id }) => id),
      ['kept'],
    );
    assert.equal(told(world, /Unexpected|crash/i), 0);
  });
}

test('rate limits go on after the clock was set back', async (t) => {
  const world = await start(t);
  const { server, clock } = world;
  using local = server.dialLocal();
  for (const token of ['one', 'two'])
    await local.client(Agent).createJoinToken({ token, ttl: 3600 });
  using first = server.dialTcp();
  await attest(first, tokenProof('one'));
  clock.jump({ seconds: -1800 });
  using second = server.dialTcp();
  let done = false;
  const attested = attest(second, tokenProof('two')).then(() => (done = true));
  await eventually(async () => {
    await clock.advance({ seconds: 1 });
    return done;
  }, 'the second attestation');
  await attested;
});
