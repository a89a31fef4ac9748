import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, CaWorld, DAY, HOUR, hourly } from '../../../test/kit/authorities.ts';
import { SvidHolder } from '../../../test/kit/svid-holder.ts';
import { unixSeconds } from '../../base/clock.ts';
import { generateKey } from '../../crypto/keys.ts';

/** How many hours lie between two looks of each holder. */
const INTERVALS = [1, 6, 12];

test('over a year nobody sees an SVID that their bundle cannot verify', async () => {
  const world = new CaWorld();
  const { clock } = world;
  const config = { caTtlSeconds: 6 * DAY, witKeyType: 'ec-p256' } as const;
  await using authorities = await world.start(config, { clock: hourly(clock) });
  const { issuer, manager } = authorities;
  const key = await generateKey('ec-p256');
  const holders = INTERVALS.map(() => new SvidHolder(key, 50 * HOUR));
  const signers = { x509: new Set(), jwt: new Set(), wit: new Set() };
  let fewest = Infinity;
  let most = 0;
  for (let hours = 0; hours < 365 * 24; hours++) {
    const now = unixSeconds(clock);
    for (const [index, holder] of holders.entries()) {
      if (hours % (INTERVALS[index] ?? 1) === 0) {
        await holder.synchronize(world.bundle(), issuer, now);
      }
    }
    for (const verifier of holders) {
      for (const shown of holders) await verifier.meets(shown, now);
    }
    signers.x509.add(manager.x509.active?.authorityId);
    signers.jwt.add(manager.jwt?.active?.authorityId);
    signers.wit.add(manager.wit?.active?.authorityId);
    const { x509Authorities, jwtAuthorities, witAuthorities } = world.bundle();
    const counts = [x509Authorities, jwtAuthorities, witAuthorities].map(({ length }) => length);
    fewest = Math.min(fewest, ...counts);
    most = Math.max(most, ...counts);
    await advance(clock, HOUR);
  }
  for (const [kind, ids] of Object.entries(signers)) {
    assert.ok(ids.size > 70, `${kind}: ${ids.size} authorities`); // one in about five days
  }
  assert.equal(fewest, 1);
  assert.equal(most, 3, 'expired authorities are pruned a day later');
  assert.equal(manager.problem(), undefined);
});

test('a holder that looks too seldom is seen to fail', async () => {
  const world = new CaWorld();
  const { clock } = world;
  const config = { caTtlSeconds: 6 * DAY, witKeyType: 'ec-p256' } as const;
  await using authorities = await world.start(config, { clock: hourly(clock) });
  const key = await generateKey('ec-p256');
  const [stale, fresh] = [new SvidHolder(key, HOUR), new SvidHolder(key, HOUR)];
  await stale.synchronize(world.bundle(), authorities.issuer, unixSeconds(clock));
  for (let day = 0; day < 6; day++) await advance(clock, DAY);
  await fresh.synchronize(world.bundle(), authorities.issuer, unixSeconds(clock));
  await assert.rejects(stale.meets(fresh, unixSeconds(clock)), /could not verify leaf certificate/);
});
