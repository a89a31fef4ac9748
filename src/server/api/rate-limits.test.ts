import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { createRateLimits, rateLimitedMethods } from './rate-limits.ts';

const svidApi = '/spire.api.server.svid.v1.SVID';
const agentApi = '/spire.api.server.agent.v1.Agent';
const BATCH = `${svidApi}/BatchNewX509SVID`;
const NEW_JWT = `${svidApi}/NewJWTSVID`;
const RENEW = `${agentApi}/RenewAgent`;
const ATTEST = `${agentApi}/AttestAgent`;

function limitsOn({ attestation = true, signing = true } = {}) {
  const clock = new VirtualClock();
  const limits = createRateLimits({ attestation, signing }, clock);
  const take = (
    method: string,
    count: number,
    {
      address = '192.0.2.1',
      deadline = Number.POSITIVE_INFINITY,
      signal = new AbortController().signal,
    } = {},
  ) => limits.take({ method, address, deadline, signal }, count);
  /** Whether it went through at once. */
  const atOnce = async (...args: Parameters<typeof take>) => {
    let done = false;
    const taken = take(...args).then(() => {
      done = true;
    });
    await clock.advance({ milliseconds: 0 });
    const was = done;
    await clock.advance({ seconds: 10 });
    await taken;
    return was;
  };
  return { clock, take, atOnce };
}

test('a batch costs as many tokens as it has items', async () => {
  const { atOnce } = limitsOn();
  assert.equal(await atOnce(BATCH, 500), true);
  const second = limitsOn();
  await second.take(BATCH, 300);
  assert.equal(await second.atOnce(BATCH, 201), false);
});

test('signing X509-SVIDs and renewing agents share a bucket, JWT-SVIDs have their own', async () => {
  const { take, atOnce, clock } = limitsOn();
  await take(BATCH, 500);
  assert.equal(await atOnce(NEW_JWT, 500), true);
  await clock.advance({ seconds: 60 });
  await take(BATCH, 500);
  assert.equal(await atOnce(RENEW, 1), false);
});

test('each address has its own bucket', async () => {
  const { take, atOnce } = limitsOn();
  await take(ATTEST, 1, { address: '192.0.2.1' });
  assert.equal(await atOnce(ATTEST, 1, { address: '192.0.2.2' }), true);
});

test('calls over the rate wait in the order in which they came', async () => {
  const { take, clock } = limitsOn();
  const order: number[] = [];
  for (const call of [1, 2, 3]) {
    void take(ATTEST, 1).then(() => order.push(call));
  }
  await clock.advance({ milliseconds: 999 });
  assert.deepEqual(order, [1]);
  await clock.advance({ milliseconds: 1 });
  assert.deepEqual(order, [1, 2]);
  await clock.advance({ seconds: 1 });
  assert.deepEqual(order, [1, 2, 3]);
});

test('refuses what is over the burst', async () => {
  const { take } = limitsOn();
  await assert.rejects(take(BATCH, 501), {
    kind: 'exhausted',
    message: 'rate (501) exceeds burst size (500)',
  });
});

test('refuses at once what cannot come before the deadline', async () => {
  const { take, clock } = limitsOn();
  await take(ATTEST, 1);
  await assert.rejects(take(ATTEST, 1, { deadline: clock.now() + 999 }), {
    kind: 'exhausted',
    message: 'rate: Wait(n=1) would exceed context deadline',
  });
  await Promise.all([
    take(ATTEST, 1, { deadline: clock.now() + 1000 }),
    clock.advance({ seconds: 1 }),
  ]);
});

test('refuses a method that nobody limits', async () => {
  const { take } = limitsOn();
  await assert.rejects(take('/x.Y/Z', 1), {
    kind: 'internal',
    message: 'rate limiting misconfigured for "/x.Y/Z"',
  });
});

test('who goes away while waiting takes nothing', async () => {
  const { take, clock } = limitsOn();
  await take(ATTEST, 1);
  const left = new AbortController();
  const waiting = take(ATTEST, 1, { signal: left.signal });
  left.abort(new Error('gone'));
  await assert.rejects(waiting, { message: 'gone' });
  await Promise.all([
    take(ATTEST, 1, { deadline: clock.now() + 1000 }),
    clock.advance({ seconds: 1 }),
  ]);
});

test('what is switched off does not limit', async () => {
  const { take } = limitsOn({ attestation: false, signing: false });
  for (let call = 0; call < 5; call++) {
    await take(ATTEST, 1);
    await take(BATCH, 5000);
    await take(NEW_JWT, 5000);
  }
});

test('what has no switch always limits', async () => {
  const { take } = limitsOn({ attestation: false, signing: false });
  await assert.rejects(take(`${agentApi}/PostStatus`, 11), { kind: 'exhausted' });
  await assert.rejects(take('/spire.api.server.bundle.v1.Bundle/PublishJWTAuthority', 501), {
    kind: 'exhausted',
  });
});

test('an address keeps its bucket over the turn of a generation', async () => {
  const { take, clock } = limitsOn();
  await clock.advance({ milliseconds: 59_500 });
  await take(ATTEST, 1);
  await clock.advance({ milliseconds: 600 });
  await assert.rejects(take(ATTEST, 1, { deadline: clock.now() }), { kind: 'exhausted' });
});

test('many addresses do not grow our memory without bound: the first are forgotten', async () => {
  const { take, clock } = limitsOn();
  const now = { deadline: clock.now() };
  await take(ATTEST, 1, now);
  await assert.rejects(take(ATTEST, 1, now), { kind: 'exhausted' });
  for (let n = 0; n < 2 * 32_768; n++) await take(ATTEST, 1, { address: String(n) });
  await take(ATTEST, 1, now);
});

test('the limited methods are those of the reference', () => {
  const names = new Set([...rateLimitedMethods].map((method) => method.split('/')[2]));
  assert.deepEqual(
    names,
    new Set([
      'AttestAgent',
      'BatchNewWITSVID',
      'BatchNewX509SVID',
      'NewDownstreamX509CA',
      'NewJWTSVID',
      'PostStatus',
      'PublishJWTAuthority',
      'PublishWITAuthority',
      'RenewAgent',
    ]),
  );
});
