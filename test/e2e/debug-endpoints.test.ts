import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Debug } from '../../src/wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { agentInfo } from '../kit/agent-commands.ts';
import { dialLocal, dialNetwork, identityOf } from '../kit/server-callers.ts';
import { startStandardDomain } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';
import { workloadOf } from '../kit/workload.ts';

const TIMES = 10;

/** SPIRE's scenario debug-endpoints. */
test('the Debug services answer on this machine, and nobody from the network', {
  skip: notRoot,
}, async (t) => {
  const { domain, below } = await startStandardDomain(t, { adminSocket: true });
  await domain.createEntry('/admin', ['unix:uid:1001'], '-admin', ...below);
  await domain.createEntry('/workload', ['unix:uid:1002'], ...below);
  const [admin, plain] = [
    workloadOf(t, await domain.socketFor(1001)),
    workloadOf(t, await domain.socketFor(1002)),
  ];
  await admin.has(domain.id('/admin'));
  await plain.has(domain.id('/workload'));

  using local = dialLocal(domain);
  for (let time = 0; time < TIMES; time++) {
    const server = await local.client(Debug).getInfo({});
    assert.deepEqual([server.agentsCount, server.entriesCount], [1, 2]);
    assert.deepEqual(
      server.svidChain.map(({ id }) => `${id?.trustDomain}${id?.path}`),
      ['domain.test/spire/server', 'domain.test'],
    );
    const agent = await agentInfo(domain.firstAgent);
    assert.match(agent.svidChain[0]?.id?.path ?? '', /^\/spire\/agent\/x509pop\//);
  }

  for (const identity of [await identityOf(admin), await identityOf(plain), undefined]) {
    using channel = dialNetwork(domain, identity);
    await assert.rejects(channel.client(Debug).getInfo({}), { kind: 'unimplemented' });
  }
});
