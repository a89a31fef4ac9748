import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('of entries with one hint the oldest counts; those without a hint all do', async (t) => {
  const domain = await startTrustDomain(t);
  const entry = (id: string, hint: string) =>
    domain.createEntry(`/${id}`, [OWN], '-entryID', id, ...(hint ? ['-hint', hint] : []));
  // IDs run against the order of creation, so that it is seen which of the two decides.
  await entry('9-old', 'internal');
  await entry('8-external', 'external');
  await entry('7-plain', '');
  await entry('6-plain', '');
  const workload = workloadOf(t, domain.agentSocket);
  const all = ['/6-plain', '/7-plain', '/8-external', '/9-old'].map((path) => domain.id(path));
  await workload.has(...all);
  // The default identity is the first: that of the lowest entry ID.
  assert.deepEqual(await workload.ids(), all);

  // Times of creation are whole seconds; the next entry must be younger.
  const second = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) <= second) await pause(50);
  await entry('1-young', 'internal');
  const ignored =
    /level=warning msg="Ignoring entry with duplicate hint" entry_id=1-young hint=internal/;
  await eventually(async () => {
    assert.deepEqual(await workload.ids(), all);
    return ignored.test(domain.agent.stdout);
  }, 'the younger entry’s being ignored');
  const hints = (await workload.x509()).svids.map(({ hint }) => hint);
  assert.deepEqual(hints, ['', '', 'external', 'internal']);
  assert.deepEqual(
    (await workload.jwt(['a'])).map(({ spiffeId }) => spiffeId),
    all,
  );
  // What is left out cannot be asked for by name either.
  await assert.rejects(workload.jwt(['a'], domain.id('/1-young')), { kind: 'denied' });

  // When the older one goes, the younger takes its place.
  await domain.runServer('entry', 'delete', '-entryID', '9-old');
  await workload.has(domain.id('/1-young'), ...all.slice(0, 3));
});
