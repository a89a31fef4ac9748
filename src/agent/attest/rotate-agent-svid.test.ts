import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../../test/kit/agent-world.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import type { ManagedKey } from '../../plugins/key-manager/contract.ts';
import { createMemoryKeyManager } from '../../plugins/key-manager/memory/memory-key-manager.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { agentSvid } from './agent-svid.ts';
import { CurrentSvid } from './current-svid.ts';
import { AgentSvidRotator, type AgentSvidRotatorDeps } from './rotate-agent-svid.ts';

const trustDomain = TrustDomain.parse('fake.test');
const lifetime = { notBefore: 0, notAfter: 4_000_000_000 };

/** A rotator whose steps are told in their order. */
async function start(more: Partial<AgentSvidRotatorDeps> = {}) {
  const ca = await TestCa.create(trustDomain, lifetime);
  const keyManager = createMemoryKeyManager();
  const svidOf = async (key: ManagedKey) => {
    const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
    const id = SpiffeId.of(trustDomain, '/spire/agent/a');
    return agentSvid([await ca.agentSvid(id, csr, lifetime)], key, true);
  };
  const former = await svidOf(await keyManager.generateKey('agent-svid-A', 'ec-p256'));
  const current = new CurrentSvid(former);
  const steps: string[] = [];
  const clock = new VirtualClock();
  const rotator = new AgentSvidRotator({
    current,
    connection: {
      async alone(run) {
        const result = await run(() => assert.fail('nothing is renewed'));
        steps.push(current.value === former ? 'others go on as before' : 'others use it');
        return result;
      },
    },
    keyManager,
    attest: async (key) => ({ svid: await svidOf(key), bundle: ca.bundle() }),
    async store() {
      steps.push('stored');
    },
    mendStorage: () => Promise.resolve(false),
    hasValidSvids: () => false,
    availabilityTargetSeconds: 0,
    metrics: noMetrics,
    clock,
    random: () => 0.5,
    log: silentLog,
    ...more,
  });
  return { rotator, current, clock, steps };
}

test('a new SVID is stored before it is used: the server then knows no other', async () => {
  const { rotator, steps } = await start();
  await rotator.reattest(new AbortController().signal);
  assert.deepEqual(steps, ['stored', 'others use it']);
});

test('one that cannot be stored is used nevertheless', async () => {
  const { rotator, steps } = await start({
    store: () => Promise.reject(new Error('no space left on device')),
  });
  await rotator.reattest(new AbortController().signal);
  assert.deepEqual(steps, ['others use it']);
});

test('without a new SVID the former one stays', async () => {
  const { rotator, steps } = await start({ attest: () => Promise.reject(new Error('no')) });
  await assert.rejects(rotator.reattest(new AbortController().signal), { message: 'no' });
  assert.deepEqual(steps, []);
});

test('what an authority signed that is now tainted is replaced at once, not at the next look', async () => {
  const { rotator, current, clock, steps } = await start();
  const stop = new AbortController();
  const run = rotator.run(stop.signal);
  await until(() => clock.sleepers === 1, 'the rotator to rest');
  assert.deepEqual(steps, []);
  current.taint();
  await until(() => steps.length === 2, 'a new SVID');
  assert.equal(current.isTainted, false);
  await until(() => clock.sleepers === 1, 'the rotator to rest again');
  stop.abort(new Error('enough'));
  await assert.rejects(run, { message: 'enough' });
  assert.deepEqual(steps, ['stored', 'others use it']);
});
