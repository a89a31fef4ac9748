import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advance, CaWorld, DAY, HOUR, hourly, slotsText } from '../../../test/kit/authorities.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';

test('the first start prepares and activates an authority of each kind in slot A', async () => {
  const world = new CaWorld();
  const lines: LogLine[] = [];
  await using authorities = await world.start(
    { witKeyType: 'ec-p384' },
    { log: recordingLog(lines) },
  );
  const { x509, jwt, wit } = authorities.manager;
  assert.equal(slotsText(authorities), 'A:active B:');
  const bundle = world.bundle();
  assert.deepEqual(
    bundle.x509Authorities.map(({ der }) => der),
    [x509.active?.certificate.der],
  );
  assert.deepEqual(
    [...bundle.jwtAuthorities, ...bundle.witAuthorities].map(({ keyId }) => keyId),
    [jwt?.active?.authorityId, wit?.active?.authorityId],
  );
  assert.match(jwt?.active?.authorityId ?? '', /^[a-zA-Z0-9]{32}$/);
  assert.deepEqual(
    (await world.keyManager.getKeys()).map((key) => key.id),
    ['JWT-Signer-A', 'WIT-Signer-A', 'x509-CA-A'],
  );
  assert.deepEqual(
    lines.map(({ message }) => message),
    [
      'There is not a CA journal record that matches any of the local X509 authority IDs',
      'Journal loaded',
      'X509 CA prepared',
      'Creating a new CA journal entry',
      'X509 CA activated',
      'JWT key prepared',
      'JWT key activated',
      'WIT key prepared',
      'WIT key activated',
    ],
  );
  const start = new Date(world.clock.now());
  assert.deepEqual(lines[2]?.fields, {
    subsystem_name: 'ca_manager',
    slot: 'A',
    issued_at: start,
    expiration: new Date(start.getTime() + DAY * 1000),
    self_signed: true,
    local_authority_id: x509.active?.authorityId,
    upstream_authority_id: '',
  });
});

test('kinds that are switched off have no keys', async () => {
  const world = new CaWorld();
  await using authorities = await world.start({ jwtKeyType: undefined });
  assert.equal(authorities.manager.jwt, undefined);
  assert.deepEqual(world.bundle().jwtAuthorities, []);
});

test('a successor is prepared after half of a life and takes over in its last sixth', async () => {
  const world = new CaWorld();
  await using authorities = await world.start();
  const first = authorities.manager.x509.active;
  await advance(world.clock, 12 * HOUR);
  assert.equal(slotsText(authorities), 'A:active B:');
  await advance(world.clock, 10);
  assert.equal(slotsText(authorities), 'A:active B:prepared');
  assert.equal(world.bundle().x509Authorities.length, 2);
  await advance(world.clock, 8 * HOUR - 10);
  assert.equal(slotsText(authorities), 'A:active B:prepared');
  await advance(world.clock, 10);
  assert.equal(slotsText(authorities), 'B:active A:old');
  assert.equal(authorities.manager.x509.next.held?.authority, first);
});

test('what expired while the server was down is made anew', async () => {
  const world = new CaWorld();
  {
    await using authorities = await world.start();
    await advance(world.clock, 13 * HOUR);
    assert.equal(slotsText(authorities), 'A:active B:prepared');
  }
  world.clock = new VirtualClock(world.clock.now() + 10 * DAY * 1000);
  const lines: LogLine[] = [];
  await using authorities = await world.start({}, { log: recordingLog(lines) });
  assert.equal(slotsText(authorities), 'A:active B:');
  const unusable = lines.filter(({ message }) => message === 'X509 CA slot unusable');
  assert.deepEqual(
    unusable.map(({ fields }) => [fields['slot'], fields['error']]),
    [
      ['B', 'slot expired'],
      ['A', 'slot expired'],
    ],
  );
});

test('a prepared successor takes over at once where the active one expired', async () => {
  const world = new CaWorld();
  let preparedId: string | undefined;
  {
    await using authorities = await world.start();
    await advance(world.clock, 13 * HOUR);
    preparedId = authorities.manager.x509.next.held?.authority.authorityId;
  }
  world.clock = new VirtualClock(world.clock.now() + 12 * HOUR * 1000);
  await using authorities = await world.start();
  assert.equal(authorities.manager.x509.active?.authorityId, preparedId);
});

test('a successor that is made late is known for a while before it takes over', async () => {
  const world = new CaWorld();
  {
    await using _ = await world.start();
  }
  world.clock = new VirtualClock(world.clock.now() + 21 * HOUR * 1000);
  await using authorities = await world.start();
  assert.equal(slotsText(authorities), 'A:active B:prepared');
  await advance(world.clock, 5 * 60 - 10);
  assert.equal(slotsText(authorities), 'A:active B:prepared');
  await advance(world.clock, 10);
  assert.equal(slotsText(authorities), 'B:active A:old');
});

test('what an operator prepares when the time has come waits, too', async () => {
  const world = new CaWorld();
  await using authorities = await world.start();
  for (let hours = 0; hours < 20; hours++) await advance(world.clock, HOUR);
  assert.equal(slotsText(authorities), 'A:active B:prepared');
  const prepared = await authorities.manager.x509.inTurn((steps) => steps.prepareNext());
  await advance(world.clock, 4 * 60);
  assert.equal(slotsText(authorities), 'A:active B:prepared');
  await advance(world.clock, 60);
  assert.equal(authorities.manager.x509.active, prepared);
});

test('a round that fails is told, counted, and tried again', async () => {
  const world = new CaWorld();
  const lines: LogLine[] = [];
  await using authorities = await world.start(
    { jwtKeyType: undefined },
    { log: recordingLog(lines) },
  );
  world.bundles.beforeModify = () => {
    throw new Error('no database');
  };
  await advance(world.clock, 12 * HOUR);
  for (let round = 0; round < 10; round++) await advance(world.clock, 10);
  assert.equal(authorities.manager.problem(), undefined);
  await advance(world.clock, 10);
  assert.equal(authorities.manager.problem(), 'rotations exceed the threshold number of failures');
  const failures = lines.filter(({ message }) => message === 'Unable to rotate X509 CA');
  assert.deepEqual(
    failures.map(({ fields }) => fields['error']),
    Array(11).fill('no database'),
  );
  assert.equal(slotsText(authorities), 'A:active B:');
  world.bundles.beforeModify = () => undefined;
  await advance(world.clock, 10);
  assert.equal(slotsText(authorities), 'A:active B:prepared');
});

test('no key is made over while the journal cannot be written', async () => {
  const world = new CaWorld();
  await using authorities = await world.start({ jwtKeyType: undefined });
  const full = () => {
    throw new Error('disk full');
  };
  await advance(world.clock, 13 * HOUR);
  world.journals.beforeSave = full;
  await advance(world.clock, 8 * HOUR);
  assert.equal(slotsText(authorities), 'B:active A:old');
  const keyOfA = (await world.keyManager.getKey('x509-CA-A'))?.publicKey;
  await advance(world.clock, 8 * HOUR);
  assert.deepEqual((await world.keyManager.getKey('x509-CA-A'))?.publicKey, keyOfA);
  world.journals.beforeSave = () => undefined;
  await advance(world.clock, 10);
  assert.equal(slotsText(authorities), 'B:active A:prepared');
});

test('expired authorities leave the bundle a day later, with a line each', async () => {
  const world = new CaWorld();
  const lines: LogLine[] = [];
  await using _ = await world.start({}, { log: recordingLog(lines) });
  for (let hours = 0; hours < 54; hours += 6) await advance(world.clock, 6 * HOUR);
  assert.deepEqual(
    lines.map(({ message }) => message).filter((message) => message.startsWith('Pruning')),
    ['Pruning CA certificate due to expiration', 'Pruning JWT signing key due to expiration'],
  );
});

test('journals of other servers go two weeks after their last authority expired', async () => {
  const world = new CaWorld();
  {
    await using _ = await world.start();
  }
  world.keyManager = new CaWorld().keyManager; // its keys are lost
  await using _ = await world.start({}, { clock: hourly(world.clock) });
  assert.equal(world.journals.rows.size, 2);
  for (let day = 0; day < 14; day++) await advance(world.clock, DAY);
  assert.equal(world.journals.rows.size, 2);
  await advance(world.clock, 2 * DAY);
  assert.deepEqual([...world.journals.rows.keys()], [2]);
});

test('an authority that lives no second is refused', async () => {
  await assert.rejects(new CaWorld().start({ caTtlSeconds: 0 }), {
    kind: 'internal',
    message: 'rpc error: code = Internal desc = X509 CA expired at once',
  });
});
