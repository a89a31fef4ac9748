import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { eventually, runProgram, steeple } from '../kit/programs.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const uid = process.getuid?.() ?? 0;

async function explain({ firstAgent }: TrustDomainProcesses, ...words: readonly string[]) {
  const socket = ['-socketPath', firstAgent.adminSocket];
  return runProgram([steeple, 'explain', ...socket, ...words]);
}

const start = (t: TestContext, agent = '') => startTrustDomain(t, { adminSocket: true, agent });
const OWN = ['-pid', String(process.pid)];

test('tells what an entry lacks, in the command and in the log', async (t) => {
  const domain = await start(t, 'log_selectors = ["unix:uid"]');
  const id = await domain.createEntry('/web', [`unix:uid:${uid}`, 'unix:gid:54321']);
  const workload = workloadOf(t, domain.agentSocket);
  const lines = () => domain.agent.stdout.split('\n');
  const tells = (one: string) => one.includes('No identity issued') && one.includes(id);
  // Until the agent knows the entry.
  await eventually(async () => {
    await workload.has();
    return lines().some(tells);
  }, 'a line that names the entry');
  const line = lines().find(tells);
  assert.match(line ?? '', new RegExp(` nearest_entry=${id} nearest_lacks=1 `));
  assert.match(line ?? '', / explain="steeple explain -socketPath \/\S+ -pid PID" /);
  assert.match(line ?? '', new RegExp(` selectors="unix:uid:${uid}" `));
  assert.doesNotMatch(line ?? '', /54321/, 'log_selectors does not allow this one');

  const { code, stdout, stderr } = await explain(domain, ...OWN);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, new RegExp(`^Process ${process.pid} has no identity\\.\n`));
  assert.match(
    stdout,
    new RegExp(`/web \\(entry ${id}\\)\n {4}lacks unix:gid:54321 \\(the process`),
  );
  assert.match(stdout, new RegExp(`has {3}unix:uid:${uid}\n`));
});

test('tells which entries match once they do', async (t) => {
  const domain = await start(t);
  await domain.createEntry('/web', [`unix:uid:${uid}`]);
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'));
  const { stdout } = await explain(domain, ...OWN, '-output', 'json');
  const found = JSON.parse(stdout) as {
    verdict: string;
    matching: { spiffe_id: string; service: string }[];
  };
  assert.equal(found.verdict, 'VERDICT_HAS_IDENTITY');
  assert.deepEqual(
    found.matching.map(({ spiffe_id, service }) => [spiffe_id, service]),
    [[domain.id('/web'), 'SERVICE_SERVED']],
  );
});

test('tells that the server is away, and how old the agent’s knowledge is', async (t) => {
  const domain = await start(t);
  await domain.server.stop();
  await domain.agent.says(/Synchronize failed/);
  const { stdout } = await explain(domain, ...OWN);
  assert.match(stdout, /The last attempt, \d+s ago, failed: .*connection refused/);
});

test('refuses a process that is not there', async (t) => {
  const domain = await start(t);
  const { code, stdout, stderr } = await explain(domain, '-pid', '2147483647');
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^Error: rpc error: code = NotFound desc = there is no process 2147483647 /);
});
