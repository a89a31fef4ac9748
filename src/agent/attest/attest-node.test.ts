import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { FakeServer } from '../../../test/kit/fake-server.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { createMemoryKeyManager } from '../../plugins/key-manager/memory/memory-key-manager.ts';
import type { AgentNodeAttestor } from '../../plugins/node-attestor/contract.ts';
import { dial } from '../../rpc/dial.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { attestNode } from './attest-node.ts';

const attestor = (answer: (challenge: Uint8Array) => Promise<Uint8Array>): AgentNodeAttestor => ({
  name: 'proof',
  begin: async () => ({ payload: Buffer.from('payload'), answer }),
  [Symbol.asyncDispose]: async () => {},
});

async function attest(server: FakeServer, by: AgentNodeAttestor, bundle?: Bundle) {
  const key = await createMemoryKeyManager().generateKey('agent-svid-A', 'ec-p256');
  return attestNode(
    {
      attestor: by,
      address: server.address,
      requirePostQuantum: false,
      dial,
      metrics: noMetrics,
      log: silentLog,
    },
    { key, bundle },
    () => {},
    AbortSignal.timeout(5000),
  );
}

const echo = attestor(async (challenge) => challenge);

describe('challenges', () => {
  test('are answered in turn, empty ones too', async () => {
    await using server = await FakeServer.start({ clock: new VirtualClock() });
    server.challenges = [Buffer.from('one'), new Uint8Array(), Buffer.from('three')];
    server.reattestable = true;
    const { svid, bundle } = await attest(server, echo);
    assert.deepEqual([svid.leaf.uris, svid.reattestable], [[server.agentId.toString()], true]);
    assert.deepEqual(bundle, server.bundle);
  });

  test('a wrong answer is refused by the server', async () => {
    await using server = await FakeServer.start({ clock: new VirtualClock() });
    server.challenges = [Buffer.from('one')];
    await assert.rejects(
      attest(
        server,
        attestor(async () => Buffer.from('two')),
      ),
      {
        kind: 'denied',
        message:
          'failed to receive attestation response: rpc error: code = PermissionDenied desc = wrong answer',
      },
    );
  });

  test('an attestor that cannot answer ends the attestation', async () => {
    await using server = await FakeServer.start({ clock: new VirtualClock() });
    server.challenges = [Buffer.from('one')];
    const fails = attestor(async () => {
      throw new Fault('internal', 'nodeattestor(proof): no');
    });
    await assert.rejects(attest(server, fails), {
      message: 'rpc error: code = Internal desc = nodeattestor(proof): no',
    });
  });
});

test('a bundle that cannot be had fails it', async () => {
  await using server = await FakeServer.start({ clock: new VirtualClock() });
  server.failures.set('GetBundle', new Fault('internal', 'no'));
  await assert.rejects(attest(server, echo), {
    message:
      'failed to get updated bundle: failed to get updated bundle: rpc error: code = Internal desc = no',
  });
});

test('a bundle that cannot be had does not cost what cannot be had again', async () => {
  await using server = await FakeServer.start({ clock: new VirtualClock() });
  server.failures.set('GetBundle', new Fault('unavailable', 'the server has gone'));
  const known = server.ca.bundle();
  const { svid, bundle } = await attest(server, echo, known);
  assert.deepEqual(svid.leaf.uris, [server.agentId.toString()]);
  assert.equal(bundle, known);
  server.reattestable = true;
  await assert.rejects(attest(server, echo, known), { message: /the server has gone$/ });
});

test('a bundle that is none fails it', async () => {
  await using server = await FakeServer.start({ clock: new VirtualClock() });
  server.bundle = {
    ...server.bundle,
    x509Authorities: [{ der: Buffer.from('junk'), tainted: false }],
  };
  await assert.rejects(attest(server, echo), {
    message: /^failed to parse trust domain bundle: unable to parse root CA 0: /,
  });
});
