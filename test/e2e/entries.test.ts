import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { apiAs, cachesX509Svids, fetchAs, hasHeardOf } from '../kit/agent-commands.ts';
import { eventually } from '../kit/programs.ts';
import { standard } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';
import type { AgentProcess, TrustDomainProcesses } from '../kit/trust-domain.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

/**
 * SPIRE's scenarios entries and events-based-entries: entries below one agent, and below an alias that three agents have
 * by two kinds of attestation. Our server needs no events of its own to hear of its own writes, so that both are alike.
 */
for (const eventsBased of [false, true]) {
  test(`entries reach the agents that they are for, events_based_cache = ${eventsBased}`, {
    skip: notRoot,
  }, async (t) => {
    const { domain, agents, ids } = await start(t, eventsBased);
    const [one, two, three] = agents;
    const alias = domain.id('/cluster/test');

    await create(domain, ids[0], 'agent-1', '/workload-agent-1', 1001);
    await create(domain, ids[1], 'agent-2', '/workload-agent-2', 1001);
    await create(domain, alias, 'shared', '/workload-shared', 1002);
    await create(domain, alias, 'with-dns', '/workload-with-dns', 1003, '-dns', 'example.org');
    const [disabled, path] = ['prefetch-disabled', '/workload-with-prefetch-disabled'];
    await create(domain, alias, disabled, path, 1004, '-disableX509SVIDPrefetch');
    await hasHeardOf(one, domain.id('/workload-agent-1'));
    await hasHeardOf(two, domain.id('/workload-agent-2'));
    for (const agent of agents) {
      for (const name of ['shared', 'with-dns', 'with-prefetch-disabled']) {
        await hasHeardOf(agent, domain.id(`/workload-${name}`));
      }
    }
    await cachesX509Svids(one, 3);
    await cachesX509Svids(two, 3);

    assert.equal((await svidAs(1001, one)).id, domain.id('/workload-agent-1'));
    assert.equal((await svidAs(1001, two)).id, domain.id('/workload-agent-2'));
    assert.notEqual((await apiAs(1001, three, 'fetch', 'x509')).code, 0);
    for (const agent of agents) {
      assert.equal((await svidAs(1002, agent)).id, domain.id('/workload-shared'));
      assert.match((await svidAs(1003, agent)).names, /DNS:example\.org/);
    }
    assert.equal((await svidAs(1004, one)).id, domain.id(path), 'not before it is asked for');

    await update(domain, alias, 'with-dns', '/workload-with-dns', 1003, '-dns', 'example.com');
    for (const agent of agents) {
      await eventually(
        async () => /DNS:example\.com/.test((await svidAs(1003, agent)).names),
        `the new name at ${agent.name}`,
      );
    }
    await domain.runServer('entry', 'delete', '-entryID', 'with-dns');
    for (const agent of agents) {
      await eventually(
        async () => (await apiAs(1003, agent, 'fetch', 'x509')).code !== 0,
        `the end of the entry at ${agent.name}`,
      );
      assert.equal((await svidAs(1002, agent)).id, domain.id('/workload-shared'));
    }
  });
}

/** Three agents, up before there is an entry of a workload, and the IDs of the first two. */
async function start(t: TestContext, eventsBased: boolean) {
  const agent = 'x509_svid_cache_max_size = 8';
  const { domain, authority, node } = await startX509popDomain(
    t,
    {
      ...standard,
      server: `${standard.server}\n experimental { events_based_cache = ${eventsBased} }`,
      agent,
      adminSocket: true,
    },
    'NodeAttestor "join_token" { plugin_data {} }',
  );
  await domain.startAgent();
  const secondNode = await authority.issue('second', `x509pop://${domain.name}/cluster/test`);
  const two = await domain.addAgent('second', {
    agent,
    adminSocket: true,
    agentAttestor: secondNode.attestor,
  });
  await two.start();
  const three = await domain.addAgent('third', {
    agentKeyManager: 'KeyManager "memory" { plugin_data {} }',
  });
  await three.start('-joinToken', await domain.newToken('-spiffeID', domain.id('/cluster/test')));
  await domain.runServer(
    'entry',
    'create',
    '-node',
    '-parentID',
    domain.id('/spire/server'),
    '-spiffeID',
    domain.id('/cluster/test'),
    '-selector',
    'x509pop:san:cluster:test',
  );
  return {
    domain,
    agents: [domain.firstAgent, two, three] as const,
    ids: [domain.id(node.path), domain.id(secondNode.path)] as const,
  };
}

const change =
  (verb: 'create' | 'update') =>
  async (
    domain: TrustDomainProcesses,
    parent: string,
    entryId: string,
    path: string,
    uid: number,
    ...flags: readonly string[]
  ): Promise<void> => {
    const words = ['-entryID', entryId, '-parentID', parent, '-spiffeID', domain.id(path)];
    await domain.runServer('entry', verb, ...words, '-selector', `unix:uid:${uid}`, ...flags);
  };
const create = change('create');
const update = change('update');

/** What `api fetch x509 -output json` gives first. */
async function svidAs(uid: number, agent: AgentProcess) {
  const { svids } = JSON.parse(await fetchAs(uid, agent, 'x509', '-output', 'json')) as {
    svids: { spiffe_id: string; x509_svid: string }[];
  };
  const [svid] = svids;
  assert.ok(svid);
  const certificate = new X509Certificate(Buffer.from(svid.x509_svid, 'base64'));
  return { id: svid.spiffe_id, names: certificate.subjectAltName ?? '' };
}
