import assert from 'node:assert/strict';
import { copyFile, mkdir } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { eventually, type Outcome, runProgram, spireAgent, startProgram } from '../kit/programs.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const start = (t: TestContext) => startTrustDomain(t, { adminSocket: true });
const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

const agent = (...words: readonly string[]): Promise<Outcome> => runProgram([spireAgent, ...words]);

async function admin(domain: TrustDomainProcesses, ...words: readonly string[]): Promise<string> {
  const outcome = await agent(...words, '-socketPath', domain.firstAgent.adminSocket);
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome.stdout;
}

/** SPIRE's scenario agent-cli, from here on. */
test('healthcheck and validate', async (t) => {
  const domain = await start(t);
  assert.equal((await agent('healthcheck', '-socketPath', domain.agentSocket)).code, 0);
  assert.notEqual((await agent('healthcheck', '-socketPath', 'invalid/path')).code, 0);
  assert.doesNotMatch((await domain.runServer('agent', 'list')).stdout, /No attested agents found/);
  const folder = domain.path('conf/agent');
  await mkdir(folder, { recursive: true });
  await copyFile(domain.firstAgent.configFile, `${folder}/agent.conf`);
  const valid = await runProgram([spireAgent, 'validate'], { cwd: domain.folder });
  assert.match(valid.stdout, /SPIRE agent configuration file is valid\./);
  const invalid = await agent('validate', '-config', 'invalid/path');
  assert.match(invalid.stderr, /SPIRE agent configuration file is invalid/);
});

test('api watch tells of each SVID as it comes, and of none before there is one', async (t) => {
  const domain = await start(t);
  const watch = startProgram(t, [spireAgent, 'api', 'watch', '-socketPath', domain.agentSocket]);
  await eventually(() => /PermissionDenied/.test(watch.stderr), 'the refusal');
  assert.ok(watch.running);
  assert.doesNotMatch(watch.stdout, /Received/);
  await domain.createEntry('/watched', [OWN], '-x509SVIDTTL', '4');
  await eventually(
    () => (watch.stdout.match(/Received 1 svid after/g) ?? []).length > 4,
    'an SVID and four successors',
    60_000,
  );
});

test('debug getinfo counts what the agent holds', async (t) => {
  const domain = await start(t);
  await domain.createEntry('/one', [OWN]);
  const workload = workloadOf(t, domain.agentSocket);
  await workload.has(domain.id('/one'));
  await workload.jwt(['a']);
  const text = await admin(domain, 'debug', 'getinfo');
  // The alias of the agent has an SVID too.
  assert.match(text, /^ {2}Cached X\.509 SVIDs: {14}2$/m);
  assert.match(text, /^ {2}Cached JWT SVIDs: {16}1$/m);
  assert.match(
    text,
    /^ {4}\[0\] SPIFFE ID: {2}spiffe:\/\/example\.test\/spire\/agent\/join_token\//m,
  );
  assert.match(text, /^ {4}\[1\] SPIFFE ID: {2}spiffe:\/\/example\.test$/m);
});

test('the log is as loud as its operator says, until it is reset', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root starts processes of other users');
  const domain = await start(t);
  const level = async (...words: readonly string[]) =>
    (
      JSON.parse(await admin(domain, 'logger', ...words, '-output', 'json')) as {
        current_level: string;
      }
    ).current_level;
  const fetchAs = async (uid: number): Promise<string> => {
    const socket = await domain.socketFor(uid);
    const seen = domain.agent.stdout.length;
    const { code, stderr } = await agent(
      'api',
      'fetch',
      'jwt',
      '-audience',
      'a',
      '-socketPath',
      socket,
    );
    assert.equal(code, 0, stderr);
    return domain.agent.stdout.slice(seen);
  };
  const lineOf = (path: string) => new RegExp(`method=FetchJWTSVID .*${domain.id(path)}`);
  assert.equal(await level('get'), 'DEBUG');
  for (const [path, uid] of [
    ['/logged', 8001],
    ['/not-logged', 8002],
  ] as const) {
    await domain.createEntry(path, [`unix:uid:${uid}`]);
    await workloadOf(t, await domain.socketFor(uid)).has(domain.id(path));
  }
  assert.match(await fetchAs(8001), lineOf('/logged'));
  assert.equal(await level('set', '-level', 'info'), 'INFO');
  assert.doesNotMatch(await fetchAs(8002), lineOf('/not-logged'));
  assert.equal(await level('reset'), 'DEBUG');
  assert.match(await fetchAs(8002), lineOf('/not-logged'));
});

test('who may not write to the admin socket’s folder does not reach it', async (t) => {
  const domain = await start(t);
  const { code, stderr } = await agent('logger', 'get', '-socketPath', '/nowhere/admin.sock');
  assert.equal(code, 1);
  assert.match(stderr, /^Error: error fetching logger: rpc error: code = Unavailable /);
  assert.match(
    await admin(domain, 'logger', 'get'),
    /^Logger Level : debug\nLaunch Level : debug\n/,
  );
});
