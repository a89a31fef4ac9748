import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { writePem } from '../../src/crypto/pem.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../../src/wire/gen/grpc/health/v1/health_pb.ts';
import { SpiffeWorkloadAPI } from '../../src/wire/gen/spiffe/workload/workload_pb.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { leafOf, rootAuthority } from '../kit/certificates.ts';
import { runProgram, spireAgent, spireServer, startProgram } from '../kit/programs.ts';
import { fakeService } from '../kit/run-command.ts';
import { serveAnswers } from '../kit/serve-answers.ts';
import { temporaryFolder } from '../kit/temp-dir.ts';

/** Each command as a process of its own, against a server of fixed answers; the commands' own tests vary them. */

const ok = { code: 0, message: 'OK' };
const id = { trustDomain: 'td', path: '/w' };
const now = Math.floor(Date.now() / 1000);
const around = { notBefore: now - 60, notAfter: now + 3600 };
const root = await rootAuthority('root', around);
const leaf = await leafOf(root, 'spiffe://td/w', around);
const rootPem = writePem('CERTIFICATE', root.certificate.der);
const notFound = () => {
  throw new Fault('not-found', 'agent not found');
};

const fakes = [
  fakeService(Health, { check: () => ({ status: Status.SERVING }) }),
  fakeService(Agent, {
    createJoinToken: () => ({ value: 'a-token' }),
    listAgents: () => ({}),
    countAgents: () => ({ count: 2 }),
    getAgent: notFound,
    banAgent: () => ({}),
    deleteAgent: () => ({}),
  }),
  fakeService(Entry, {
    batchCreateEntry: ({ entries }) => ({
      results: entries.map((entry) => ({ entry, status: ok })),
    }),
    batchUpdateEntry: ({ entries }) => ({
      results: entries.map((entry) => ({ entry, status: ok })),
    }),
    batchDeleteEntry: ({ ids }) => ({ results: ids.map((each) => ({ id: each, status: ok })) }),
    listEntries: () => ({ entries: [{ id: 'e', spiffeId: id, parentId: id }] }),
    countEntries: () => ({ count: 4 }),
  }),
  fakeService(Bundle, {
    getBundle: () => ({ trustDomain: 'td', x509Authorities: [{ asn1: root.certificate.der }] }),
    countBundles: () => ({ count: 1 }),
    listFederatedBundles: () => ({}),
    batchSetFederatedBundle: () => ({ results: [{ status: ok }] }),
    batchDeleteFederatedBundle: () => ({ results: [{ status: ok }] }),
  }),
  fakeService(SVID, {
    mintX509SVID: () => ({
      svid: { certChain: [leaf.certificate.der], expiresAt: BigInt(now + 60) },
    }),
    mintJWTSVID: () => ({ svid: { token: 'token' } }),
  }),
];

const ENTRY = '-entryID e -parentID spiffe://td/w -spiffeID spiffe://td/w -selector a:b';
const entryText = (selector: string) =>
  `Entry ID                : e\nSPIFFE ID               : spiffe://td/w\nParent ID               : spiffe://td/w\nRevision                : 0\nX509-SVID TTL           : default\nJWT-SVID TTL            : default\n${selector}\n`;
const SELECTOR = 'Selector                : a:b\n';

const rows: readonly [command: string, stdout: string | RegExp, stderr?: string, input?: string][] =
  [
    ['healthcheck', 'Server is healthy.\n'],
    ['token generate -spiffeID spiffe://td/w', 'Token: a-token\n'],
    ['agent list', 'No attested agents found\n'],
    ['agent count', '2 attested agents\n'],
    [
      'agent show -spiffeID spiffe://td/w',
      '',
      'Error: rpc error: code = NotFound desc = agent not found\n',
    ],
    ['agent ban -spiffeID spiffe://td/w', 'Agent banned successfully\n'],
    ['agent evict -spiffeID spiffe://td/w -output json', '{}\n'],
    ['agent purge', 'No agents to purge.\n'],
    [`entry create ${ENTRY}`, entryText(SELECTOR)],
    [`entry update ${ENTRY}`, entryText(SELECTOR)],
    [
      'entry delete -file -',
      'Deleted entry with ID: a\n\n\nDeleted 1 entries successfully',
      '',
      '{"ids":["a"]}',
    ],
    ['entry show', `Found 1 entry\n${entryText('')}`],
    ['entry count -output json', '{"count":4}\n'],
    ['bundle show', rootPem],
    ['bundle count', '1 bundle\n'],
    ['bundle list', ''],
    ['bundle set -id b.test', 'bundle set.\n', '', rootPem],
    ['bundle delete -id b.test', 'bundle deleted.\n'],
    ['x509 mint -spiffeID spiffe://td/w', /^X509-SVID:\n-----BEGIN [^]*\nRoot CAs:\n-----BEGIN /],
    [
      'jwt mint -spiffeID spiffe://td/w -audience a',
      'token\n',
      'Unable to determine JWT-SVID lifetime: token is not a JWS in compact serialization\n',
    ],
  ];
test('every command of the server', async (t) => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'api.sock');
  await serveAnswers(t, socket, fakes);
  for (const [command, stdout, stderr = '', input = ''] of rows) {
    await t.test(command, async () => {
      const args = [...command.split(' '), '-socketPath', socket];
      const outcome = await runProgram([spireServer, ...args], { input });
      if (typeof stdout === 'string') assert.equal(outcome.stdout, stdout);
      else assert.match(outcome.stdout, stdout);
      assert.equal(outcome.stderr, stderr);
      assert.equal(outcome.code, stderr.startsWith('Error: ') ? 1 : 0);
    });
  }
});

const svid = {
  spiffeId: 'spiffe://td/w',
  x509Svid: leaf.certificate.der,
  x509SvidKey: leaf.key.toPkcs8(),
  bundle: root.certificate.der,
};
const workloadFakes = [
  fakeService(Health, { check: () => ({ status: Status.NOT_SERVING }) }),
  fakeService(SpiffeWorkloadAPI, {
    async *fetchX509SVID() {
      yield { svids: [svid] };
    },
    async *fetchJWTBundles() {
      yield { bundles: { 'spiffe://td': Buffer.from('{}') } };
    },
    fetchJWTSVID: ({ audience }) => ({
      svids: [{ spiffeId: 'spiffe://td/w', svid: audience[0] ?? '' }],
    }),
    validateJWTSVID: () => {
      throw new Fault('invalid', 'not like this');
    },
  }),
];

test('every command of the agent', async (t) => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'api.sock');
  const calls = await serveAnswers(t, socket, workloadFakes);
  const run = (command: string) =>
    runProgram([spireAgent, ...command.split(' '), '-socketPath', socket]);
  assert.deepEqual(await run('healthcheck'), {
    code: 1,
    stdout: '',
    stderr: 'Agent is unhealthy: agent returned status "NOT_SERVING"\n',
  });
  for (const command of ['api fetch', 'api fetch x509']) {
    const outcome = await run(command);
    assert.match(outcome.stdout, /^Received 1 svid after \S+s\n\nSPIFFE ID:\t\tspiffe:\/\/td\/w\n/);
    assert.deepEqual([outcome.code, outcome.stderr], [0, '']);
  }
  assert.deepEqual(await run('api fetch jwt -audience a'), {
    code: 0,
    stdout: 'token(spiffe://td/w):\n\ta\nbundle(spiffe://td):\n\t{}\n',
    stderr: '',
  });
  assert.deepEqual(await run('api validate jwt -audience a -svid t'), {
    code: 1,
    stdout: '',
    stderr: 'SVID is not valid: not like this\n',
  });
  const workload = calls.filter(({ method }) => method.startsWith('/SpiffeWorkloadAPI/'));
  assert.equal(workload.length, 5);
  for (const call of workload) assert.deepEqual(call.header('workload.spiffe.io'), ['true']);
  const watch = startProgram(t, [spireAgent, 'api', 'watch', '-socketPath', socket]);
  await watch.says(/^SPIFFE ID:\t\tspiffe:\/\/td\/w$/m);
  await watch.says(/^EOF$/m);
  assert.equal((await watch.stop('SIGINT')).code, 1);
});

test('a deadline ends a call that nobody answers', async (t) => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'api.sock');
  const forever = fakeService(SpiffeWorkloadAPI, {
    async *fetchX509SVID() {
      yield await new Promise<never>(() => {});
    },
    validateJWTSVID: () => new Promise<never>(() => {}),
  });
  await serveAnswers(t, socket, [forever]);
  const late = 'rpc error: code = DeadlineExceeded desc = context deadline exceeded\n';
  for (const [command, stderr] of [
    ['api fetch', late],
    ['api validate jwt -audience a -svid t', `unable to validate JWT SVID: ${late}`],
  ] as const) {
    const args = [...command.split(' '), '-timeout', '200ms', '-socketPath', socket];
    assert.deepEqual(await runProgram([spireAgent, ...args]), { code: 1, stdout: '', stderr });
  }
});

test('no command reaches a server that is not there', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'none.sock');
  const reason = (shown: string) =>
    `rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix ${shown}"\n`;
  const gone = 'connect: no such file or directory';
  const at = { cwd: folder.path };
  for (const [program, args, stderr] of [
    [
      spireServer,
      ['agent', 'count', '-socketPath', path],
      `Error: ${reason(`//${path}: ${gone}`)}`,
    ],
    [spireServer, ['agent', 'count', '-socketPath', 'x'], `Error: ${reason(`x: ${gone}`)}`],
    [
      spireServer,
      ['agent', 'count', '-socketPath', ''],
      `Error: ${reason('missing address').replace('unix missing', 'unix: missing')}`,
    ],
    [spireAgent, ['api', 'fetch', '-socketPath', path], reason(`${path}: ${gone}`)],
    [spireAgent, ['api', 'fetch', '-socketPath', 'x'], reason(`${folder.path}/x: ${gone}`)],
    [
      spireAgent,
      ['api', 'fetch', '-socketPath', ''],
      reason(`${folder.path}: connect: connection refused`),
    ],
    [
      spireServer,
      ['agent', 'count', '-socketPath', `/${'x'.repeat(120)}`],
      `Error: ${reason(`///${'x'.repeat(120)}: connect: invalid argument`)}`,
    ],
  ] as const) {
    assert.deepEqual(await runProgram([program, ...args], at), { code: 1, stdout: '', stderr });
  }
});

test('the environment names the socket', async (t) => {
  await using folder = await temporaryFolder();
  const socket = join(folder.path, 'one.sock');
  await serveAnswers(t, socket, fakes);
  const healthy = { code: 0, stdout: 'Server is healthy.\n', stderr: '' };
  const byPath = { env: { SPIRE_SERVER_PRIVATE_SOCKET: socket } };
  assert.deepEqual(await runProgram([spireServer, 'healthcheck'], byPath), healthy);
  const byTemplate = { env: { SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE: `${folder.path}/%i.sock` } };
  const args = ['healthcheck', '-instance', 'one'];
  assert.deepEqual(await runProgram([spireServer, ...args], byTemplate), healthy);
});
