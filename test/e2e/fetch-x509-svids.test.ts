import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cachesX509Svids, fetchAs, hasHeardOf } from '../kit/agent-commands.ts';
import { startStandardDomain } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';

/** SPIRE's scenario fetch-x509-svids. */
test('a workload has all of its SVIDs though the cache is smaller, and the cache shrinks again', {
  skip: notRoot,
}, async (t) => {
  const { domain, below } = await startStandardDomain(t, {
    adminSocket: true,
    agent: 'x509_svid_cache_max_size = 8',
  });
  const agent = domain.firstAgent;
  const entriesFor = async (uid: number, prefix: string) => {
    const paths = Array.from({ length: 10 }, (_, n) => `${prefix}${n + 1}`);
    await Promise.all(
      paths.map((path) =>
        domain.createEntry(path, [`unix:uid:${uid}`], '-x509SVIDTTL', '0', ...below),
      ),
    );
    await hasHeardOf(agent, ...paths.map((path) => domain.id(path)));
    return paths.map((path) => domain.id(path));
  };
  /** It names each of them once, and the trust domain nowhere else. */
  const fetches = async (uid: number, ids: readonly string[]) => {
    const lines = (await fetchAs(uid, agent, 'x509')).split('\n');
    const naming = lines.filter((line) => line.includes('spiffe://domain.test'));
    assert.deepEqual(
      naming.toSorted(),
      ids.map((id) => `SPIFFE ID:\t\t${id}`).toSorted(),
      lines.join('\n'),
    );
  };
  const first = await entriesFor(1001, '/workload-');
  await fetches(1001, first);
  await cachesX509Svids(agent, 8);
  const second = await entriesFor(1002, '/workload/');
  await fetches(1002, second);
  await fetches(1001, first);
  await cachesX509Svids(agent, 8);
});
