import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { recordedSeries, type SeriesShape, seriesOf } from '../kit/exposition.ts';
import {
  eventually,
  freePort,
  root,
  runProgram,
  spireAgent,
  spireServer,
} from '../kit/programs.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = ['unix:uid:' + String(process.getuid?.() ?? 0)];
const WIT = { SPIRE_SERVER_FFLAGS: 'wit-svid' };

const words = (text: string): string[] => text.split(' ');

type Sections = { readonly server: string; readonly agent: string };

/** What the fixtures were recorded of: each kind of call once, and the agent's own doings. */
async function mainFlow(t: TestContext, sections: Sections): Promise<TrustDomainProcesses> {
  const domain = await startServerOnly(t, {
    server: 'experimental { feature_flags = ["wit-svid"] }',
    serverSections: sections.server,
    agentSections: sections.agent,
  });
  const token = await domain.prepareAgent();
  await domain.startAgent('-joinToken', token);
  await domain.runServer('healthcheck');
  const { stdout: bundle } = await domain.runServer('bundle', 'show', '-format', 'spiffe');
  await domain.runServer(
    ...words('federation create -trustDomain c.test -bundleEndpointProfile https_web'),
    ...words('-bundleEndpointURL https://127.0.0.1:1/'),
  );
  const socket = ['-socketPath', domain.serverSocket];
  const set = await runProgram(
    [spireServer, ...words('bundle set -id spiffe://b.test -format spiffe'), ...socket],
    { input: bundle },
  );
  assert.equal(set.code, 0, set.stderr);
  await domain.createEntry('/web', OWN, '-federatesWith', 'spiffe://b.test');
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'));
  const fetchJwt = await runProgram([
    spireAgent,
    ...words(`api fetch jwt -audience x -socketPath ${domain.agentSocket}`),
  ]);
  assert.equal(fetchJwt.code, 0, fetchJwt.stderr);
  const id = ['-spiffeID', domain.id('/minted')];
  await domain.runServer('x509', 'mint', ...id);
  await domain.runServer('jwt', 'mint', ...id, '-audience', 'x');
  const wit = await runProgram([spireServer, 'wit', 'mint', ...id, ...socket], { env: WIT });
  assert.equal(wit.code, 0, wit.stderr);
  await domain.runServer('localauthority', 'x509', 'prepare');
  await domain.runServer('localauthority', 'jwt', 'prepare');
  return domain;
}

/** Recorded series that have no counterpart here, and why. */
const withoutCounterpart: Readonly<Record<string, string>> = {
  runtime_free_count: 'only Go counts what it frees',
  runtime_heap_objects: 'V8 does not count objects',
  runtime_malloc_count: 'only Go counts what it allocates',
  runtime_num_goroutines: 'there are none',
};

/** What Prometheus clients tell of a process; what is read at the start; what SPIRE tells if its caches follow events. */
const more = [
  /^process_(cpu_seconds_total|max_fds|open_fds|resident_memory_bytes|start_time_seconds|virtual_memory_bytes)$/,
  /^spire_server_datastore_bundle_list(_elapsed_time)?$/,
  /^spire_server_(entry_entries_by_entryid|node_agents_by_id)_cache_count$/,
];

for (const program of ['server', 'agent'] as const) {
  test(`the ${program}'s series are those of SPIRE: names, kinds, labels`, async (t) => {
    const ports = { server: await freePort(), agent: await freePort() };
    await mainFlow(t, {
      server: `telemetry { Prometheus { port = ${ports.server} } }`,
      agent: `telemetry { Prometheus { port = ${ports.agent} } }`,
    });
    const file = join(root, 'test/data/fixtures/metrics', `${program}.txt`);
    const recorded = recordedSeries(await readFile(file, 'utf8'));
    for (const name of Object.keys(withoutCounterpart)) recorded.delete(`spire_${program}_${name}`);
    const scrape = async () => {
      const answer = await fetch(`http://127.0.0.1:${ports[program]}/metrics`);
      return seriesOf(await answer.text());
    };
    const wanting = (seen: ReadonlyMap<string, SeriesShape>) =>
      [...recorded.keys()].filter((name) => !seen.has(name));
    // Some come with the next synchronisation.
    await eventually(async () => wanting(await scrape()).length === 0, 'all series', 5_000).catch(
      async (error: unknown) => {
        assert.deepEqual(wanting(await scrape()), [], String(error));
      },
    );
    const seen = await scrape();
    for (const [name, shape] of recorded) assert.deepEqual(seen.get(name), shape, name);
    const others = [...seen.keys()].filter((name) => !recorded.has(name));
    assert.deepEqual(
      others.filter((name) => !more.some((pattern) => pattern.test(name))),
      [],
    );
  });
}

/** A receiver of datagrams that keeps their lines. */
async function listenUdp(t: TestContext) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  const lines: string[] = [];
  const longest = { bytes: 0 };
  socket.on('message', (packet) => {
    longest.bytes = Math.max(longest.bytes, packet.length);
    lines.push(...packet.toString().split('\n'));
  });
  return { lines, longest, address: `127.0.0.1:${socket.address().port}` };
}

test('statsd and DogStatsD get every series with its labels, and the last lines at the end', async (t) => {
  const [statsd, dog] = [await listenUdp(t), await listenUdp(t)];
  const telemetry = `telemetry {
    Statsd = [{ address = "${statsd.address}" }]
    DogStatsd = [{ address = "${dog.address}" }]
    EnableTrustDomainLabel = true
    BlockedPrefixes = ["spire_server.runtime", "spire_agent.runtime"]
  }`;
  const domain = await mainFlow(t, { server: telemetry, agent: telemetry });
  await domain.agent.stop();
  await domain.server.stop();
  const end = [hostname().replace(/[:\s|]/g, '_'), 'example_test'];
  const [host, trustDomain] = end;
  for (const [lines, line] of [
    [
      statsd.lines,
      `spire_server.rpc.svid.v1.svid.mint_jwtsvid.OK.${trustDomain}.${host}:1.000000|c`,
    ],
    [
      statsd.lines,
      `spire_agent.node.attestor.new_svid.join_token.OK.${trustDomain}.${host}:1.000000|c`,
    ],
    [
      dog.lines,
      `spire_server.rpc.svid.v1.svid.mint_jwtsvid:1|c|#status:OK,trust_domain:${trustDomain},host:${host}`,
    ],
    [
      dog.lines,
      `spire_agent.node.attestor.new_svid:1|c|#attestor:join_token,status:OK,trust_domain:${trustDomain},host:${host}`,
    ],
  ] as const) {
    assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
  }
  for (const line of statsd.lines.filter(Boolean)) {
    assert.match(line, /^spire_(server|agent)\.[\w.-]+:-?\d+\.\d{6}\|(c|g|ms)$/);
    assert.doesNotMatch(line, /\.runtime\./);
  }
  for (const line of dog.lines.filter(Boolean)) {
    assert.match(
      line,
      /^spire_(server|agent)\.[\w.]+:-?[\d.]+\|(c|g|ms)\|#[\w]+:[^,|]+(,\w+:[^,|]+)*$/,
    );
  }
  assert.ok(statsd.longest.bytes <= 1400 && dog.longest.bytes <= 1432);
});

test('SIGUSR1 writes what is in memory to the log', async (t) => {
  const sections = 'telemetry { InMem {} EnableHostnameLabel = false MetricPrefix = "mine" }';
  const domain = await mainFlow(t, { server: sections, agent: sections });
  for (const [program, name] of [
    [domain.server, 'rpc.svid.v1.svid.mint_x509svid.OK'],
    [domain.agent, 'node.attestor.new_svid.join_token.OK'],
  ] as const) {
    const line = new RegExp(
      `msg="\\[\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d [^\\]]+\\]\\[C\\] 'mine\\.${name}': Count: 1 Sum: 1\\.000 LastUpdated: [^"]+" subsystem_name=telemetry`,
    );
    await eventually(() => {
      program.child.kill('SIGUSR1');
      return line.test(program.output);
    }, `${line} in\n${program.output}`);
    assert.match(program.output, /\]\[G\] 'mine\.started\.[\w]+\.example_test': 1\.000"/);
  }
});

test('an endpoint by the SVIDs of the trust domain answers whom it may', async (t) => {
  const ports = { server: await freePort(), agent: await freePort() };
  const tls = (port: number) => `telemetry {
    Prometheus { port = ${port} tls { use_spire_svid = true authorized_spiffe_ids = ["spiffe://example.test/web"] } }
  }`;
  const domain = await mainFlow(t, { server: tls(ports.server), agent: tls(ports.agent) });
  const folder = domain.path('files');
  await mkdir(folder);
  await runProgram([
    spireAgent,
    ...words(`api fetch x509 -socketPath ${domain.agentSocket} -write ${folder}`),
  ]);
  const read = (name: string) => readFile(join(folder, name));
  const scraper = { cert: await read('svid.0.pem'), key: await read('svid.0.key') };
  const ca = await read('bundle.0.pem');
  for (const [program, port] of Object.entries(ports)) {
    assert.match(await scrapeTls(port, { ca, ...scraper }), new RegExp(`spire_${program}_started`));
    await assert.rejects(scrapeTls(port, { ca }), 'without an SVID');
  }
});

async function scrapeTls(port: number, tls: Partial<Record<'ca' | 'cert' | 'key', Buffer>>) {
  const asked = request({
    host: '127.0.0.1',
    port,
    ...tls,
    agent: false,
    checkServerIdentity: () => undefined,
  });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return text(answer);
}
