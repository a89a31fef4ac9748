import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort, root, runProgram, startProgram } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';

test('examples/node-mtls does what its README says', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/db', [`unix:uid:${process.getuid?.() ?? 0}`]);
  const example = (name: string) => join(root, 'examples/node-mtls', name);
  const env = {
    SPIFFE_ENDPOINT_SOCKET: `unix://${domain.agentSocket}`,
    PORT: String(await freePort()),
  };
  const db = startProgram(t, [process.execPath, example('db.ts')], { env });
  await db.says(/example.test\/db listens on 127\.0\.0\.1:\d+/);
  const call = (id: string) =>
    runProgram([process.execPath, example('web.ts'), domain.id(id)], { env });
  const good = await call('/db');
  const id = domain.id('/db');
  assert.deepEqual([good.stdout, good.code], [`You are ${id}. I am ${id}.\n`, 0], good.stderr);
  const bad = await call('/somebody-else');
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /unexpected ID "spiffe:\/\/example\.test\/db"/);
});
