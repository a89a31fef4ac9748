import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey } from '../../src/crypto/keys.ts';
import { dial } from '../../src/rpc/dial.ts';
import { SpiffeWorkloadAPI } from '../../src/wire/gen/spiffe/workload/workload_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { Program } from '../kit/programs.ts';
import { dialLocal } from '../kit/server-callers.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { Workload } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;
/**
 * Random numbers take microseconds; the handle of a peer's process (`rpc/peer-credentials.ts`) is no file on a disk; the
 * thread of the database is there to wait for it.
 */
const ALLOWED =
  /at randomFillSync |at closeSync .*\n +at \[Symbol\.dispose\]|\/dist\/sqlite-worker\.js:/;

test('a running server and agent do nothing synchronous: no file, no signature', async (t) => {
  process.env['NODE_OPTIONS'] = '--trace-sync-io --stack-trace-limit=60';
  t.after(() => delete process.env['NODE_OPTIONS']);
  const domain = await startTrustDomain(t);
  delete process.env['NODE_OPTIONS'];
  await atWork(domain, '/first');
  const since = [domain.server, domain.agent].map((program) => ({
    program,
    from: program.stderr.length,
  }));
  assert.match(domain.server.stderr, /Detected use of sync API/, 'Node tells of it');

  await atWork(domain, '/second');
  await attestAnother(domain);
  // What was written to a pipe has yet to be read.
  await pause(200);
  for (const { program, from } of since) assert.deepEqual(synchronousSince(program, from), []);
});

/** Each kind of call once, down to the database and back to a workload. */
async function atWork(domain: TrustDomainProcesses, path: string): Promise<void> {
  await domain.createEntry(path, [OWN]);
  using workload = new Workload(domain.agentSocket);
  while (!(await workload.ids()).includes(domain.id(path))) await pause(100);
  using channel = dial({ address: `unix:${domain.agentSocket}` });
  const headers = { 'workload.spiffe.io': 'true' };
  await channel.client(SpiffeWorkloadAPI).fetchJWTSVID({ audience: ['a'] }, { headers });
  using admin = dialLocal(domain);
  await admin.client(Entry).listEntries({});
  const csr = await buildCsr(
    { uris: [domain.id(path)], dnsNames: [] },
    await generateKey('ec-p256'),
  );
  await admin.client(SVID).mintX509SVID({ csr });
}

async function attestAnother(domain: TrustDomainProcesses): Promise<void> {
  const another = await domain.addAgent('another');
  await another.start('-joinToken', await domain.newToken());
  await another.program.stop();
}

/** Where each one was called from. */
function synchronousSince({ stderr }: Program, from: number): string[] {
  const [, ...told] = stderr.slice(from).split('WARNING: Detected use of sync API\n');
  return told
    .map((text) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('    at '))
        .join('\n'),
    )
    .filter((stack) => !ALLOWED.test(stack));
}
