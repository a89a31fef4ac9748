import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dial } from '../../src/rpc/dial.ts';
import { Watch } from '../../src/wire/gen/steeple/server/watch/v1/watch_pb.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;
/** Far longer than the test may take: whatever comes has not come by a poll. */
const SELDOM = { syncInterval: '10m' };
/** Of a busy machine; the program that makes the entry takes most of it. */
const SOON_MILLISECONDS = 3000;

async function within(milliseconds: number, what: Promise<unknown>): Promise<void> {
  const began = performance.now();
  await what;
  const took = performance.now() - began;
  assert.ok(took < milliseconds, `it took ${took} ms`);
}

test('a workload is told of its entry, its change and its end without a poll', async (t) => {
  const domain = await startTrustDomain(t, SELDOM);
  await domain.createEntry('/first', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await within(SOON_MILLISECONDS, workload.has(domain.id('/first')));
  using watched = workload.watchX509();
  await watched.until(() => true, 'the first update');

  const late = domain.id('/late');
  const id = await domain.createEntry('/late', [OWN]);
  const has = (wanted: boolean) =>
    watched.until(
      ({ svids }) => svids.some(({ spiffeId }) => spiffeId === late) === wanted,
      `an update ${wanted ? 'with' : 'without'} the entry`,
    );
  await within(SOON_MILLISECONDS, has(true));
  await domain.runServer('entry', 'delete', '-entryID', id);
  await within(SOON_MILLISECONDS, has(false));
});

test('an agent is told that it was banned', async (t) => {
  const domain = await startTrustDomain(t, SELDOM);
  const [path = ''] = await domain.agentPaths();
  await domain.runServer('agent', 'ban', '-spiffeID', domain.id(path));
  await within(SOON_MILLISECONDS, domain.agent.exited);
  await domain.agent.says(/msg="Agent is banned: removing SVID and shutting down"/);
});

test('whoever is no agent watches nothing', async (t) => {
  const domain = await startTrustDomain(t);
  const watch = async (channel: ReturnType<typeof dial>) => {
    for await (const _ of channel.client(Watch).watchChanges({})) return;
  };
  using stranger = dial({ address: `127.0.0.1:${domain.port}`, tls: { verify: () => {} } });
  await assert.rejects(watch(stranger), {
    kind: 'denied',
    message: 'authorization denied for method /steeple.server.watch.v1.Watch/WatchChanges',
  });
  using local = dial({ address: `unix:${domain.serverSocket}` });
  await assert.rejects(watch(local), { kind: 'denied' });
});
