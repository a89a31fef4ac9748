import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { eventually } from '../kit/programs.ts';
import { dialNetwork, type Identity, mintIdentity } from '../kit/server-callers.ts';
import {
  startServerOnly,
  startTrustDomain,
  type TrustDomainProcesses,
} from '../kit/trust-domain.ts';
import { Workload } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** What an admin does over the network, from entry to agent. */
async function administer(domain: TrustDomainProcesses, identity: Identity): Promise<void> {
  using channel = dialNetwork(domain, identity);
  const [entries, agents] = [channel.client(Entry), channel.client(Agent)];
  const id = (path: string) => ({ trustDomain: domain.name, path });
  const { results } = await entries.batchCreateEntry({
    entries: [
      {
        parentId: id('/foo'),
        spiffeId: id('/bar'),
        selectors: [{ type: 'unix', value: 'uid:1001' }],
      },
    ],
  });
  assert.equal(results[0]?.status?.code, 0, String(results[0]?.status?.message));
  const entryId = results[0]?.entry?.id ?? '';
  assert.equal((await entries.getEntry({ id: entryId })).spiffeId?.path, '/bar');
  const deleted = await entries.batchDeleteEntry({ ids: [entryId] });
  assert.equal(deleted.results[0]?.status?.code, 0);
  const { value } = await agents.createJoinToken({ ttl: 60 });
  assert.notEqual(value, '');
  await agents.countAgents({});
  await channel.client(Bundle).countBundles({});
}

async function refused(domain: TrustDomainProcesses, identity: Identity): Promise<void> {
  using channel = dialNetwork(domain, identity);
  const calls: readonly [method: string, call: () => Promise<unknown>][] = [
    ['entry.v1.Entry/CountEntries', () => channel.client(Entry).countEntries({})],
    ['agent.v1.Agent/CreateJoinToken', () => channel.client(Agent).createJoinToken({ ttl: 60 })],
    ['bundle.v1.Bundle/CountBundles', () => channel.client(Bundle).countBundles({})],
  ];
  for (const [method, call] of calls) {
    await assert.rejects(call(), {
      kind: 'denied',
      message: `authorization denied for method /spire.api.server.${method}`,
    });
  }
}

test('a workload whose entry makes it an admin administers the server, until the entry goes', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/admin', [OWN], '-admin', '-entryID', 'admin');
  using workload = new Workload(domain.agentSocket);
  await workload.has(domain.id('/admin'));
  const [svid] = (await workload.x509()).svids;
  assert.ok(svid);
  const identity = { chain: [svid.x509Svid], privateKey: svid.x509SvidKey };
  await administer(domain, identity);

  // The same certificate, on a connection that is open all the time.
  using channel = dialNetwork(domain, identity);
  await channel.client(Entry).countEntries({});
  await domain.runServer('entry', 'delete', '-entryID', 'admin');
  await assert.rejects(channel.client(Entry).countEntries({}), { kind: 'denied' });
  await refused(domain, identity);
});

test('admin_ids are admins: of this trust domain, and of another whose bundle is known', async (t) => {
  const domain = await startServerOnly(t, {
    server: 'admin_ids = ["spiffe://example.test/root", "spiffe://other.test/root"]',
  });
  const other = await startServerOnly(t, { name: 'other.test' });
  await administer(domain, await mintIdentity(domain, domain.id('/root')));
  await refused(domain, await mintIdentity(domain, domain.id('/plain')));

  const foreign = await mintIdentity(other, other.id('/root'));
  await assert.rejects(administer(domain, foreign), { kind: 'unavailable' });
  const file = domain.path('other.json');
  await writeFile(file, (await other.runServer('bundle', 'show', '-format', 'spiffe')).stdout);
  await domain.runServer(
    'bundle',
    'set',
    '-id',
    'spiffe://other.test',
    '-format',
    'spiffe',
    '-path',
    file,
  );
  await eventually(
    () =>
      administer(domain, foreign).then(
        () => true,
        () => false,
      ),
    'the foreign admin’s first success',
  );
  // Others of that trust domain do not even get a connection.
  const nobody = await mintIdentity(other, other.id('/plain'));
  await assert.rejects(administer(domain, nobody), { kind: 'unavailable' });
});
