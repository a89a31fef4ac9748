import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leafOf, NOW, rootAuthority } from '../../../../test/kit/certificates.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { AgentStatus } from '../../status.ts';
import { createGetInfo } from './get-info.ts';

const trustDomain = TrustDomain.parse('example.test');
const id = 'spiffe://example.test/spire/agent/x509pop/a';
const root = await rootAuthority('example.test');
const { certificate } = await leafOf(root, id);
const bundle = {
  ...emptyBundle(trustDomain),
  x509Authorities: [{ der: root.certificate.der, tainted: false }],
};

function place() {
  const clock = new VirtualClock(NOW * 1000);
  const status = {
    svidChain: [certificate.der],
    x509SvidCount: 3,
    jwtSvidCount: 2,
    storeSvidCount: 1,
    lastSyncSuccess: NOW * 1000 - 1500,
  };
  const bundles = [emptyBundle(TrustDomain.parse('b.test')), bundle];
  const getInfo = createGetInfo({
    status: status as Partial<AgentStatus> as AgentStatus,
    identities: { bundles: () => bundles },
    startedAt: NOW * 1000 - 2900,
    clock,
  });
  return { clock, status, bundles, getInfo };
}

test('tells the chain up to its root, what is held, and since when', async () => {
  const { getInfo } = place();
  const { svidChain = [], ...rest } = await getInfo();
  assert.deepEqual(
    svidChain.map(({ id: of, expiresAt }) => [of?.path, expiresAt]),
    [
      ['/spire/agent/x509pop/a', BigInt(certificate.notAfter)],
      [undefined, BigInt(root.certificate.notAfter)],
    ],
  );
  assert.deepEqual(rest, {
    uptime: 2,
    svidsCount: 3,
    cachedX509SvidsCount: 3,
    cachedJwtSvidsCount: 2,
    cachedSvidstoreX509SvidsCount: 1,
    lastSyncSuccess: BigInt(NOW - 2),
  });
});

test('an agent that has not synchronised yet says 0', async () => {
  const { getInfo, status } = place();
  Object.assign(status, { lastSyncSuccess: undefined });
  assert.equal((await getInfo()).lastSyncSuccess, 0n);
});

test('whoever asks again within 5 seconds is told the same; a clock that was set back ends that', async () => {
  const { getInfo, status, clock } = place();
  const first = await getInfo();
  status.x509SvidCount = 4;
  await clock.advance({ milliseconds: 4999 });
  assert.equal(await getInfo(), first);
  await clock.advance({ milliseconds: 1 });
  assert.equal((await getInfo()).svidsCount, 4);
  status.x509SvidCount = 5;
  clock.jump({ seconds: -60 });
  const { svidsCount, uptime } = await getInfo();
  assert.deepEqual([svidsCount, uptime], [5, 0]);
});

test('an SVID that no bundle verifies is a failure, which is not kept', async () => {
  const { getInfo, bundles } = place();
  bundles.pop();
  await assert.rejects(getInfo(), {
    kind: 'internal',
    message: /^failed to verify agent SVID: /,
  });
  bundles.push(bundle);
  assert.equal((await getInfo()).svidsCount, 3);
});
