import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { diskState } from '../kit/disk-state.ts';
import { freePort, runProgram, spireAgent, spireServer } from '../kit/programs.ts';
import { startServerOnly, startTrustDomain, TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

test('a port that somebody else has is named, and nothing is made', async (t) => {
  const domain = await TrustDomainProcesses.create();
  t.after(() => domain[Symbol.asyncDispose]());
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const conf = domain.path('server.conf');
  const text = await readFile(conf, 'utf8');
  await writeFile(conf, text.replace(String(domain.port), String(port)));

  const before = await diskState(domain.folder);
  const { code, stdout } = await runProgram([spireServer, 'run', '-config', conf]);
  assert.equal(code, 1);
  assert.match(
    stdout,
    new RegExp(
      `msg="Server crashed" error="listen tcp 127.0.0.1:${port}: bind: address already in use`,
    ),
  );
  assert.deepEqual(await diskState(domain.folder), before);
});

test('a second server leaves the first one’s port, socket and data alone', async (t) => {
  const domain = await startServerOnly(t);
  const conf = await readFile(domain.path('server.conf'), 'utf8');
  const second = async (change: (text: string) => string) => {
    const file = domain.path('second.conf');
    await writeFile(
      file,
      change(conf).replaceAll(`${domain.folder}/server/`, `${domain.folder}/2/`),
    );
    return runProgram([spireServer, 'run', '-config', file]);
  };
  const otherPort = String(await freePort());
  const others = [
    // All the same; only the port; only the socket.
    [(text: string) => text, /address already in use/],
    [(text: string) => text.replace('server.sock', 'other.sock'), /address already in use/],
    [
      (text: string) => text.replace(String(domain.port), otherPort),
      /another process is listening there; stop it, or choose another path/,
    ],
  ] as const;
  await domain.createEntry('/workload', [OWN]);
  for (const [change, complaint] of others) {
    await writeFile(domain.path('second.conf'), '');
    const { 'second.conf': _, ...before } = await diskState(domain.folder);
    const { code, stdout } = await second(change);
    assert.equal(code, 1);
    assert.match(stdout, complaint);
    const { 'second.conf': __, ...after } = await diskState(domain.folder);
    assert.deepEqual(after, before);
    // The first one is there as before.
    await domain.runServer('healthcheck');
    assert.match((await domain.runServer('entry', 'count')).stdout, /^1 registration entry/);
  }
});

test('a second agent leaves the first one’s socket and data alone', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/workload', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/workload'));
  using watched = workload.watchX509();
  await watched.until(() => true, 'the first update');

  const token = await domain.newToken();
  const conf = await readFile(domain.firstAgent.configFile, 'utf8');
  const file = domain.path('second.conf');
  await writeFile(
    file,
    conf.replaceAll(domain.firstAgent.dataDirectory + '"', `${domain.path('2')}"`),
  );
  const before = await diskState(domain.folder);
  const second = await runProgram([spireAgent, 'run', '-config', file, '-joinToken', token]);
  assert.equal(second.code, 1);
  assert.match(
    second.stdout,
    /another process is listening there; stop it, or choose another path/,
  );
  const { server: _, ...after } = await diskState(domain.folder);
  const { server: __, ...expected } = before;
  assert.deepEqual(ofAgent(after), ofAgent(expected));
  assert.ok(watched.isOpen);
  await workload.has(domain.id('/workload'));

  // The token is still good: nobody has used it.
  const third = await domain.addAgent('third');
  await third.start('-joinToken', token);
});

/** All but the server's own files, which it goes on writing. */
const ofAgent = (state: Record<string, string>) =>
  Object.fromEntries(Object.entries(state).filter(([path]) => !path.startsWith('server/')));
