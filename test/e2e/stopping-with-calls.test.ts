import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { dialNetwork } from '../kit/server-callers.ts';
import { startServerOnly } from '../kit/trust-domain.ts';
import { Watched } from '../kit/workload.ts';

test('the server waits for calls, but not for ever', async (t) => {
  const domain = await startServerOnly(t);
  using channel = dialNetwork(domain);
  // An attestation in which the agent says nothing more.
  const silence = Promise.withResolvers<void>();
  t.after(() => {
    silence.resolve();
  });
  async function* requests() {
    await silence.promise;
    yield {};
  }
  using attestation = new Watched((signal) =>
    channel.client(Agent).attestAgent(requests(), { signal }),
  );
  await channel
    .client(Agent)
    .countAgents({})
    .catch(() => undefined); // the connection is there
  assert.ok(attestation.isOpen);
  const started = performance.now();
  assert.deepEqual(await domain.server.stop(), { code: 0, signal: null });
  assert.ok(performance.now() - started < 13_000, 'it took too long');
  assert.match(domain.server.stdout, /msg="Graceful stop unsuccessful, forced stop after 10s"/);
  assert.match(domain.server.stdout, /msg="Server stopped gracefully"\n$/);
});
