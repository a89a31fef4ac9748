import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Channel } from '../../src/rpc/dial.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { TrustDomain } from '../../src/wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';
import { AdminSteps } from '../kit/admin-steps.ts';
import { carryBundle, federationBlock, spiffeRelationship } from '../kit/bundle-endpoint.ts';
import { freePort } from '../kit/programs.ts';
import { dialNetwork, type Identity, identityOf } from '../kit/server-callers.ts';
import { standard } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';
import type { TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

const [A, B] = ['domain-a.test', 'domain-b.test'];

/** SPIRE's scenario admin-endpoints: an admin by an entry, one by `admin_ids` from another trust domain, and no admin. */
test('admins of this trust domain and of another may do everything, a workload nothing', {
  skip: notRoot,
}, async (t) => {
  const { a, b, belowA, belowB } = await start(t);
  await a.createEntry('/admin', ['unix:uid:1001'], '-admin', ...belowA);
  await a.createEntry('/workload', ['unix:uid:1002'], ...belowA);
  await b.createEntry('/admin', ['unix:uid:1003'], '-federatesWith', a.id(''), ...belowB);
  const identityAs = async (uid: number, domain: TrustDomainProcesses, path: string) => {
    const workload = workloadOf(t, await domain.socketFor(uid));
    await workload.has(domain.id(path));
    return identityOf(workload);
  };

  await everythingAs(t, a, 'an admin by its entry', await identityAs(1001, a, '/admin'));
  // What the first one did is undone, so that the second starts from the same.
  await everythingAs(t, a, 'an admin of another trust domain', await identityAs(1003, b, '/admin'));

  using channel = dialNetwork(a, await identityAs(1002, a, '/workload'));
  for (const [method, call] of callsOfAdmins(channel)) {
    await t.test(`a workload may not call ${method}`, async () => {
      await assert.rejects(call(), {
        kind: 'denied',
        message: `authorization denied for method /spire.api.server.${method}`,
      });
    });
  }
});

async function everythingAs(
  t: TestContext,
  domain: TrustDomainProcesses,
  who: string,
  identity: Identity,
): Promise<void> {
  using channel = dialNetwork(domain, identity);
  const steps = new AdminSteps(domain, channel);
  await t.test(`${who} mints SVIDs`, () => steps.mint());
  await t.test(`${who} appends to the bundle`, () => steps.appendBundle());
  await t.test(`${who} keeps federated bundles`, () => steps.federatedBundles(B));
  await t.test(`${who} keeps entries`, () => steps.entries());
  await t.test(`${who} lets agents in, and shuts them out`, () => steps.agents());
  await t.test(`${who} keeps relationships`, () => steps.relationships());
}

/** Two servers that know each other's bundle endpoint, and an agent of each. */
async function start(t: TestContext) {
  const [portA, portB] = [await freePort(), await freePort()];
  const server = (port: number, other: string, othersPort: number) =>
    `${standard.server}\n${federationBlock(`port = ${port}`, spiffeRelationship(other, othersPort))}`;
  const { domain: a, node: nodeA } = await startX509popDomain(t, {
    name: A,
    server: `${server(portA, B, portB)}\n admin_ids = ["spiffe://${B}/admin"]`,
  });
  const { domain: b, node: nodeB } = await startX509popDomain(t, {
    name: B,
    server: server(portB, A, portA),
  });
  await carryBundle(a, b);
  await carryBundle(b, a);
  await a.startAgent();
  await b.startAgent();
  const below = (domain: TrustDomainProcesses, path: string) => ['-parentID', domain.id(path)];
  return { a, b, belowA: below(a, nodeA.path), belowB: below(b, nodeB.path) };
}

/** Each RPC of the steps, to see who may not. */
function callsOfAdmins(channel: Channel): readonly [string, () => Promise<unknown>][] {
  const svids = channel.client(SVID);
  const bundles = channel.client(Bundle);
  const entries = channel.client(Entry);
  const agents = channel.client(Agent);
  const relationships = channel.client(TrustDomain);
  return [
    ['svid.v1.SVID/MintX509SVID', () => svids.mintX509SVID({})],
    ['svid.v1.SVID/MintJWTSVID', () => svids.mintJWTSVID({})],
    ['bundle.v1.Bundle/AppendBundle', () => bundles.appendBundle({})],
    ['bundle.v1.Bundle/BatchCreateFederatedBundle', () => bundles.batchCreateFederatedBundle({})],
    ['bundle.v1.Bundle/BatchUpdateFederatedBundle', () => bundles.batchUpdateFederatedBundle({})],
    ['bundle.v1.Bundle/BatchSetFederatedBundle', () => bundles.batchSetFederatedBundle({})],
    ['bundle.v1.Bundle/CountBundles', () => bundles.countBundles({})],
    ['bundle.v1.Bundle/ListFederatedBundles', () => bundles.listFederatedBundles({})],
    ['bundle.v1.Bundle/GetFederatedBundle', () => bundles.getFederatedBundle({})],
    ['bundle.v1.Bundle/BatchDeleteFederatedBundle', () => bundles.batchDeleteFederatedBundle({})],
    ['entry.v1.Entry/BatchCreateEntry', () => entries.batchCreateEntry({})],
    ['entry.v1.Entry/CountEntries', () => entries.countEntries({})],
    ['entry.v1.Entry/ListEntries', () => entries.listEntries({})],
    ['entry.v1.Entry/GetEntry', () => entries.getEntry({})],
    ['entry.v1.Entry/BatchUpdateEntry', () => entries.batchUpdateEntry({})],
    ['entry.v1.Entry/BatchDeleteEntry', () => entries.batchDeleteEntry({})],
    ['agent.v1.Agent/CreateJoinToken', () => agents.createJoinToken({})],
    ['agent.v1.Agent/CountAgents', () => agents.countAgents({})],
    ['agent.v1.Agent/ListAgents', () => agents.listAgents({})],
    ['agent.v1.Agent/GetAgent', () => agents.getAgent({})],
    ['agent.v1.Agent/BanAgent', () => agents.banAgent({})],
    ['agent.v1.Agent/DeleteAgent', () => agents.deleteAgent({})],
    ...(
      [
        'batchCreateFederationRelationship',
        'batchUpdateFederationRelationship',
        'getFederationRelationship',
        'listFederationRelationships',
        'batchDeleteFederationRelationship',
      ] as const
    ).map((method): [string, () => Promise<unknown>] => [
      `trustdomain.v1.TrustDomain/${method.charAt(0).toUpperCase()}${method.slice(1)}`,
      () => relationships[method]({}),
    ]),
  ];
}
