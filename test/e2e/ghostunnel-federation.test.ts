import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noEnvoy, startEnvoy } from '../interop/envoy/envoy.ts';
import { carryBundle } from '../kit/bundle-endpoint.ts';
import { arrives, say, startHearer } from '../kit/lines.ts';
import { freePort } from '../kit/programs.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

/**
 * SPIRE's scenario ghostunnel-federation (`reference/scenarios.md` §4), with Envoy for the two tunnels: what is said to
 * the one at the downstream side arrives behind the one at the upstream side, through everything that stops meanwhile.
 */
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
  skip: noEnvoy,
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

  const heard = await startHearer(t);
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
  const comesThrough = (phase: string) => arrives(heard, exit.port, `HELLO ${phase}`);

  await comesThrough('with all up');
  await upstream.server.says(/Error updating bundle.*local copy of bundle not found/);

  for (const domain of both) await domain.server.stop();
  await comesThrough('with both servers stopped');
  for (const domain of both) await domain.startServer();
  await comesThrough('with both servers back');
  await downstream.server.says(/Error updating bundle.*connection refused/);
  for (const domain of both) await domain.agent.stop();
  await comesThrough('with both agents stopped');
  for (const domain of both) await domain.startAgent();
  await comesThrough('with both agents back');

  heard.lines.length = 0;
  await say(stranger.port, 'HELLO stranger');
  assert.deepEqual(heard.lines, []);
});

const sideOf = (domain: TrustDomainProcesses, svid: string, peer: string) => ({
  socket: domain.agentSocket,
  svid,
  validation: 'ALL',
  peer,
});
