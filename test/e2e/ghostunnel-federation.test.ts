import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { envoyBinary, startEnvoy } from '../interop/envoy/envoy.ts';
import { carryBundle } from '../kit/bundle-endpoint.ts';
import { eventually, freePort } from '../kit/programs.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

/**
 * SPIRE's scenario ghostunnel-federation (`reference/scenarios.md` §4), with Envoy for the two tunnels: what is said to
 * the one at the downstream side arrives behind the one at the upstream side, through everything that stops meanwhile.
 */
const skip =
  process.env['CI'] === undefined && envoyBinary === undefined && 'run tools/prepare for Envoy';

const UPSTREAM = 'upstream-domain.test';
const DOWNSTREAM = 'downstream-domain.test';
const OWN = [`unix:uid:${process.getuid?.() ?? 0}`];

/** Its settings are wrong, as in the scenario: an endpoint that nobody can verify must not break anything. */
const federation = (port: number, withWhom: string, url: string, endpointId: string) =>
  `ca_ttl = "1h" default_x509_svid_ttl = "5m"
   federation {
     bundle_endpoint { address = "127.0.0.1" port = ${port} profile "https_spiffe" {} }
     federates_with "${withWhom}" {
       bundle_endpoint_url = "${url}"
       bundle_endpoint_profile "https_spiffe" { endpoint_spiffe_id = "${endpointId}" }
     }
   }`;

test('two tunnels of federated trust domains outlive their servers and agents', {
  skip,
}, async (t) => {
  const [upstreamPort, downstreamPort] = [await freePort(), await freePort()];
  const upstream = await startServerOnly(t, {
    name: UPSTREAM,
    server: federation(
      upstreamPort,
      DOWNSTREAM,
      `https://localhost:${downstreamPort}`,
      'spiffe://downstream-spire-server/spire/server',
    ),
  });
  const downstream = await startServerOnly(t, {
    name: DOWNSTREAM,
    server: federation(
      downstreamPort,
      `spiffe://${UPSTREAM}`,
      'https://localhost:1',
      `spiffe://${UPSTREAM}/spire/server`,
    ),
  });
  const both = [upstream, downstream];
  await carryBundle(upstream, downstream);
  await carryBundle(downstream, upstream);
  for (const domain of both) await domain.startAgent('-joinToken', await domain.prepareAgent());
  const [service, client] = [
    upstream.id('/upstream-workload'),
    downstream.id('/downstream-workload'),
  ];
  await upstream.createEntry('/upstream-workload', OWN, '-federatesWith', `spiffe://${DOWNSTREAM}`);
  await downstream.createEntry(
    '/downstream-workload',
    OWN,
    '-federatesWith',
    `spiffe://${UPSTREAM}`,
  );

  const heard = await listen(t);
  const entrance = await startEnvoy(t, {
    ...sideOf(upstream, service, client),
    role: 'server',
    target: heard.port,
  });
  const exit = await startEnvoy(t, {
    ...sideOf(downstream, client, service),
    role: 'client',
    target: entrance.port,
  });
  const stranger = await startEnvoy(t, {
    ...sideOf(downstream, client, upstream.id('/somebody-else')),
    role: 'client',
    target: entrance.port,
  });
  const arrives = async (phase: string) => {
    heard.lines.length = 0;
    await eventually(async () => {
      await say(exit.port, `HELLO ${phase}\n`);
      return heard.lines.includes(`HELLO ${phase}`);
    }, `a line through both tunnels, ${phase}`);
  };

  await arrives('with all up');
  await upstream.server.says(/Error updating bundle.*local copy of bundle not found/);

  for (const domain of both) await domain.server.stop();
  await arrives('with both servers stopped');
  for (const domain of both) await domain.startServer();
  await arrives('with both servers back');
  await downstream.server.says(/Error updating bundle.*connection refused/);
  for (const domain of both) await domain.agent.stop();
  await arrives('with both agents stopped');
  for (const domain of both) await domain.startAgent();
  await arrives('with both agents back');

  heard.lines.length = 0;
  await say(stranger.port, 'HELLO stranger\n');
  assert.deepEqual(heard.lines, []);
});

const sideOf = (domain: TrustDomainProcesses, svid: string, peer: string) => ({
  socket: domain.agentSocket,
  svid,
  validation: 'ALL',
  peer,
});

/** Remembers the lines that it is told. */
async function listen(
  t: TestContext,
): Promise<{ readonly port: number; readonly lines: string[] }> {
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const whole = text.split('\n');
      text = whole.pop() ?? '';
      lines.push(...whole);
      socket.end();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port, lines };
}

/** Resolves when the other side has closed the connection. */
async function say(port: number, text: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1');
  socket
    .on('error', () => undefined)
    .on('close', () => {
      resolve();
    });
  socket.resume().write(text);
  await promise;
}
