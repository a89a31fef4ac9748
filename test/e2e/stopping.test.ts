import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { IdleConnections } from '../kit/raw-connections.ts';
import { startTrustDomain, TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;
const CERTIFICATE = join(import.meta.dirname, '../data/svid/bundle.0.pem');

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

describe('a program that is told to stop ends well', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`the agent by ${signal}, with streams that are open and connections that say nothing`, async (t) => {
      const domain = await startTrustDomain(t);
      await domain.createEntry('/workload', [OWN]);
      const workload = workloadOf(t, domain.agentSocket);
      await workload.has(domain.id('/workload'));
      const streams = [
        workload.watchX509(),
        workload.watchX509Bundles(),
        workload.watchJwtBundles(),
      ];
      for (const stream of streams) await stream.until(() => true, 'an update');
      using idle = new IdleConnections();
      await idle.make({ path: domain.agentSocket }, 20);

      const started = performance.now();
      assert.deepEqual(await domain.agent.stop(signal), { code: 0, signal: null });
      assert.ok(performance.now() - started < 3000, 'it took too long');
      assert.match(domain.agent.stdout, /level=info msg="Agent stopped gracefully"\n$/);
      assert.equal(domain.agent.stderr, '');
      assert.equal(await isThere(domain.agentSocket), false);
      for (const stream of streams) {
        await assert.rejects(stream.complete(), { kind: 'unavailable' });
      }
    });

    test(`the server by ${signal}, with agents and connections that say nothing`, async (t) => {
      const domain = await startTrustDomain(t);
      using idle = new IdleConnections();
      await idle.make({ path: domain.serverSocket }, 20);
      await idle.make({ host: '127.0.0.1', port: domain.port }, 20);
      const started = performance.now();
      assert.deepEqual(await domain.server.stop(signal), { code: 0, signal: null });
      assert.ok(performance.now() - started < 5000, 'it took too long');
      assert.match(domain.server.stdout, /msg="Graceful stop successful"/);
      assert.match(domain.server.stdout, /level=info msg="Server stopped gracefully"\n$/);
      assert.equal(domain.server.stderr, '');
      assert.equal(await isThere(domain.serverSocket), false);
    });
  }

  test('an agent that still waits for its server', async (t) => {
    const domain = await TrustDomainProcesses.create();
    t.after(() => domain[Symbol.asyncDispose]());
    await writeFile(domain.path('bundle.pem'), await readFile(CERTIFICATE));
    const program = domain.firstAgent.run('-joinToken', 'abc');
    await program.says(/msg="Failed to retrieve attestation result"/);
    const started = performance.now();
    assert.deepEqual(await program.stop('SIGTERM'), { code: 0, signal: null });
    assert.ok(performance.now() - started < 2000, 'it took too long');
    assert.match(program.stdout, /msg="Agent stopped gracefully"\n$/);
  });
});
