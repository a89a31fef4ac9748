import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { advance, CaWorld, HOUR } from '../../../test/kit/authorities.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { unixSeconds } from '../../base/clock.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { verifyX509Svid } from '../../spiffe/x509-svid.ts';
import type { Issuer } from '../ca/contract.ts';
import { startServerSvid } from './server-svid.ts';

/** The loops of the authorities, and that of the SVID. */
const LOOPS = 4;

async function start(t: TestContext) {
  const world = new CaWorld();
  const { clock } = world;
  const authorities = await world.start();
  t.after(() => authorities[Symbol.asyncDispose]());
  let broken: Error | undefined;
  const issuer: Pick<Issuer, 'serverX509Svid'> = {
    serverX509Svid: async (publicKey) => {
      if (broken) throw broken;
      return authorities.issuer.serverX509Svid(publicKey);
    },
  };
  const lines: LogLine[] = [];
  const log = recordingLog(lines);
  const svid = await startServerSvid({
    issuer,
    keyType: 'ec-p384',
    bundle: () => world.bundle(),
    metrics: noMetrics,
    clock,
    log,
  });
  t.after(() => svid[Symbol.asyncDispose]());
  const breakIssuer = (error: Error | undefined) => {
    broken = error;
  };
  return {
    world,
    authorities,
    svid,
    lines,
    breakIssuer,
    pass: (by: number) => advance(clock, by, LOOPS),
  };
}

const leafOf = ({ chain: [leaf] }: { chain: readonly Uint8Array[] }) => {
  assert.ok(leaf);
  return parseCertificate(leaf);
};

test('the SVID is that of the server, and its key is of the configured type', async (t) => {
  const { svid, world } = await start(t);
  const { chain, key } = svid.current();
  const verified = await verifyX509Svid(chain, () => world.bundle(), unixSeconds(world.clock));
  assert.equal(verified.id.toString(), 'spiffe://example.org/spire/server');
  assert.deepEqual(leafOf({ chain }).spki, key.publicKey.spki);
  assert.equal(key.publicKey.kind, 'ec-p384');
});

test('it is renewed, with a new key, after half of its life', async (t) => {
  const { svid, pass } = await start(t);
  const first = svid.current();
  const told: unknown[] = [];
  const stop = svid.onRotated((renewed) => told.push(renewed));
  await pass(HOUR / 2 - 10);
  assert.equal(svid.current(), first);
  await pass(10);
  const second = svid.current();
  assert.notDeepEqual(leafOf(second).spki, leafOf(first).spki);
  assert.deepEqual(told, [second]);
  stop();
  await svid.rotate();
  assert.notEqual(svid.current(), second);
  assert.equal(told.length, 1);
});

test('where it cannot be renewed the old one stays, and it is tried again', async (t) => {
  const { svid, pass, breakIssuer, lines } = await start(t);
  const first = svid.current();
  breakIssuer(new Error('no CA'));
  await pass(HOUR / 2);
  assert.equal(svid.current(), first);
  assert.deepEqual(lines.at(-1), {
    message: 'Could not rotate server SVID',
    fields: { subsystem_name: 'svid_rotator', error: 'no CA' },
  });
  await assert.rejects(svid.rotate(), /no CA/);
  breakIssuer(undefined);
  await pass(5);
  assert.notEqual(svid.current(), first);
});

test('it is renewed at the next look after its root was tainted, once', async (t) => {
  const { world, authorities, svid, pass, lines } = await start(t);
  const old = authorities.manager.x509.active?.authorityId ?? '';
  await authorities.manager.x509.inTurn(async (steps) => {
    await steps.prepareNext();
    await steps.activateNext();
  });
  await pass(5);
  const first = svid.current();
  await authorities.keeper.taintX509(old);
  await pass(5);
  const second = svid.current();
  assert.notEqual(second, first);
  await verifyX509Svid(
    second.chain,
    () => ({
      ...world.bundle(),
      x509Authorities: world.bundle().x509Authorities.filter(({ tainted }) => !tainted),
    }),
    unixSeconds(world.clock),
  );
  assert.deepEqual(lines, [
    {
      message: 'Server SVID signed using a tainted authority, forcing rotation of the Server SVID',
      fields: { subsystem_name: 'svid_rotator' },
    },
  ]);
  await authorities.keeper.revokeX509(old);
  await pass(10);
  assert.equal(svid.current(), second);
});

test('it is renewed too where its root was tainted and revoked between two looks', async (t) => {
  const { world, authorities, svid, pass } = await start(t);
  const old = authorities.manager.x509.active?.authorityId ?? '';
  await authorities.manager.x509.inTurn(async (steps) => {
    await steps.prepareNext();
    await steps.activateNext();
  });
  await authorities.keeper.taintX509(old);
  await authorities.keeper.revokeX509(old);
  await pass(5);
  await verifyX509Svid(svid.current().chain, () => world.bundle(), unixSeconds(world.clock));
});

test('where it cannot be renewed after a taint it is tried again', async (t) => {
  const { authorities, svid, pass, breakIssuer } = await start(t);
  const first = svid.current();
  const old = authorities.manager.x509.active?.authorityId ?? '';
  await authorities.manager.x509.inTurn(async (steps) => {
    await steps.prepareNext();
    await steps.activateNext();
  });
  await authorities.keeper.taintX509(old);
  breakIssuer(new Error('no CA'));
  await pass(10);
  assert.equal(svid.current(), first);
  breakIssuer(undefined);
  await pass(5);
  assert.notEqual(svid.current(), first);
});
