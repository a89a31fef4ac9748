import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  link,
  mkdir,
  readlink,
  realpath,
  rm,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DescriptorThief } from '../kit/descriptor-thief.ts';
import { eventually, startProgram } from '../kit/programs.ts';
import { reachableNode } from '../kit/relay.ts';
import { SocketLender } from '../kit/socket-lender.ts';
import { notRoot } from '../kit/toolchain.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

/** What docs/security.md says of processes that are not what they seem; real ones. */
const VICTIM = 54_321;

const refused = { kind: 'unavailable' };

async function start(t: TestContext): Promise<TrustDomainProcesses> {
  const domain = await startTrustDomain(t, {
    workloadAttestor: 'WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }',
  });
  const uid = process.getuid?.() ?? 0;
  await domain.createEntry('/own', [`unix:uid:${uid}`]);
  await domain.createEntry('/victim', [`unix:uid:${VICTIM}`]);
  await domain.createEntry('/sleep', [`unix:path:${await realpath('/bin/sleep')}`]);
  const own = workloadOf(t, domain.agentSocket);
  await own.has(domain.id('/own'));
  await eventually(
    () => domain.agent.stdout.includes(`spiffe_id="${domain.id('/sleep')}"`),
    'the entries',
  );
  return domain;
}

async function lend(t: TestContext, domain: TrustDomainProcesses, name: string) {
  const lender = await SocketLender.start(domain.folder, name, domain.agentSocket);
  t.after(() => lender[Symbol.asyncDispose]());
  return { lender, borrower: workloadOf(t, lender.path) };
}

test('who passes its connection on lends its identity, for as long as it lives', async (t) => {
  const domain = await start(t);
  const { lender, borrower } = await lend(t, domain, 'a');
  assert.deepEqual(await borrower.ids(), [domain.id('/own')]);
  await lender.die();
  await assert.rejects(borrower.x509(), refused);
});

test('a stream that is open when its process ends is cut, whoever holds it', async (t) => {
  const domain = await start(t);
  const { lender, borrower } = await lend(t, domain, 'a');
  using stream = borrower.watchX509();
  await eventually(() => stream.messages.length > 0, 'the first update');
  await lender.die();
  await eventually(() => !stream.isOpen, 'the end of the stream');
  await domain.agent.says(/Closing the connection of a process that has ended/);
});

test('the next process of the same number is not taken for the one that connected', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root chooses the numbers of processes');
  const domain = await start(t);
  const { lender, borrower } = await lend(t, domain, 'a');
  await lender.die();
  const heir = await processWithNumber(lender.pid);
  if (heir === undefined) return t.skip('the number could not be had again');
  t.after(() => heir.kill('SIGKILL'));
  await assert.rejects(borrower.x509(), refused);
});

test('who becomes another program after connecting is what it is when it asks', async (t) => {
  const domain = await start(t);
  const { lender, borrower } = await lend(t, domain, 'a');
  lender.become();
  const sleep = await realpath('/bin/sleep');
  await eventually(
    async () => (await readlink(`/proc/${lender.pid}/exe`)) === sleep,
    'the other program',
  );
  assert.deepEqual((await borrower.ids()).sort(), [domain.id('/own'), domain.id('/sleep')].sort());
});

test('who becomes a program of another user (setuid) after connecting is given nothing', async (t) => {
  if (notRoot !== false) return t.skip(notRoot);
  const domain = await start(t);
  const own = join(domain.folder, 'victims');
  await mkdir(own);
  await chown(own, VICTIM, VICTIM);
  const node = await reachableNode(own);
  const lender = await SocketLender.start(own, 'a', domain.agentSocket, {
    node,
    uid: VICTIM,
    gid: VICTIM,
    cwd: own,
  });
  t.after(() => lender[Symbol.asyncDispose]());
  const borrower = workloadOf(t, lender.path);
  assert.deepEqual(await borrower.ids(), [domain.id('/victim')]);
  const rootsSleep = join(own, 'sleep');
  await copyFile('/bin/sleep', rootsSleep);
  await chmod(rootsSleep, 0o4755);
  lender.become(rootsSleep);
  await eventually(
    async () => (await readlink(`/proc/${lender.pid}/exe`)) === (await realpath(rootsSleep)),
    'the other program',
  );
  await assert.rejects(borrower.x509(), refused);
  // And not for another reason.
  await domain.agent.says(/process uid 0 does not match original caller 54321/);
});

test('a process that the kernel hides (not dumpable) is known to an agent of root', async (t) => {
  if (notRoot !== false) return t.skip(notRoot);
  const domain = await start(t);
  const asVictim = ['setpriv', `--reuid=${VICTIM}`, `--regid=${VICTIM}`, '--clear-groups'];
  const executable = join(await realpath(domain.folder), 'node-111');
  await domain.createEntry('/unreadable', [`unix:path:${executable}`]);
  await eventually(
    () => domain.agent.stdout.includes(`spiffe_id="${domain.id('/unreadable')}"`),
    'the entry',
  );
  const ids = await fetchAs(t, domain, asVictim, 0o111);
  assert.deepEqual(ids.toSorted(), [domain.id('/unreadable'), domain.id('/victim')].toSorted());
});

test('who may debug a trusted program can have its identity: users are the boundary', async (t) => {
  const domain = await start(t);
  const trusted = join(await realpath(domain.folder), 'trusted');
  await link(process.execPath, trusted).catch(() => copyFile(process.execPath, trusted));
  await domain.createEntry('/trusted', [`unix:path:${trusted}`]);
  await eventually(
    () => domain.agent.stdout.includes(`spiffe_id="${domain.id('/trusted')}"`),
    'the entry',
  );
  const thief = await DescriptorThief.start(domain.folder, trusted, domain.agentSocket);
  t.after(() => thief[Symbol.asyncDispose]());
  const ids = await workloadOf(t, thief.path).ids();
  assert.deepEqual(ids.toSorted(), [domain.id('/own'), domain.id('/trusted')].toSorted());
});

test('one that dies in the middle of its attestation is given nothing', async (t) => {
  const domain = await start(t);
  // Each call is a race with the end of its caller; none of them may bring an identity to the heir of the connection.
  for (let round = 0; round < 10; round++) {
    const { lender, borrower } = await lend(t, domain, `r${round}`);
    const asked = borrower.x509();
    await Promise.all([lender.die(), asked.catch(() => undefined)]);
    await assert.rejects(borrower.x509(), refused);
  }
});

test('a process of another PID namespace is known by its number outside', async (t) => {
  if (!hasNamespaces('-pf')) return t.skip('no PID namespaces here');
  const domain = await start(t);
  const outcome = fetchAs(t, domain, ['unshare', '-pf', '--kill-child', '--mount-proc']);
  assert.deepEqual(await outcome, [domain.id('/own')]);
});

test('root of a user namespace is the user that it is outside', async (t) => {
  if (!hasNamespaces('-Ur')) return t.skip('no user namespaces here');
  const domain = await start(t);
  assert.deepEqual(
    await fetchAs(t, domain, [
      'setpriv',
      `--reuid=${VICTIM}`,
      `--regid=${VICTIM}`,
      '--clear-groups',
      'unshare',
      '-Ur',
    ]),
    [domain.id('/victim')],
  );
});

const hasNamespaces = (flags: string): boolean =>
  process.getuid?.() === 0 && spawnSync('unshare', [flags, 'true']).status === 0;

/** A process of another user that has this very number, if the kernel gives it. */
async function processWithNumber(pid: number): Promise<ChildProcess | undefined> {
  for (let tries = 0; tries < 50; tries++) {
    writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
    const child = spawn('/bin/sleep', ['60'], {
      stdio: 'ignore',
      uid: VICTIM,
      gid: VICTIM,
      cwd: '/',
    });
    if (child.pid === pid) return child;
    child.kill('SIGKILL');
  }
  return undefined;
}

/** The IDs that a process gets which is started by these words. */
async function fetchAs(
  t: TestContext,
  { folder, agentSocket }: TrustDomainProcesses,
  words: readonly string[],
  nodeMode = 0o755,
): Promise<string[]> {
  const path = `/tmp/${basename(folder)}.sock`;
  const script = join(folder, 'relay.cjs');
  await writeFile(
    script,
    `const { connect, createServer } = require('node:net');
     createServer((near) => {
       const far = connect(${JSON.stringify(agentSocket)});
       near.pipe(far).pipe(near);
       far.on('error', () => near.destroy());
       near.on('error', () => far.destroy());
     }).listen(${JSON.stringify(path)}, () => console.log('listening'));`,
  );
  t.after(() => rm(path, { force: true }));
  await rm(path, { force: true });
  const node = join(folder, `node-${nodeMode.toString(8)}`);
  await copyFile(process.execPath, node);
  await chmod(node, nodeMode);
  const relay = startProgram(t, [...words, node, script], { cwd: '/' });
  await relay.says(/listening/);
  return workloadOf(t, path).ids();
}
