import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { noEnvoy, startEnvoy } from '../interop/envoy/envoy.ts';
import { carryBundle, federationBlock } from '../kit/bundle-endpoint.ts';
import { arrives, startHearer } from '../kit/lines.ts';
import { freePort } from '../kit/programs.ts';
import { standard } from '../kit/standard-domain.ts';
import type { AgentProcess, TrustDomainProcesses } from '../kit/trust-domain.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

const OWN = [`unix:uid:${process.getuid?.() ?? 0}`];
const FEDERATED = 'federated-domain.test';

/** SPIRE's scenario envoy-sds-v3-spiffe-auth, with the one release of Envoy that comes as a package. */
test('an Envoy serves those of its own trust domain and of a federated one', {
  skip: noEnvoy,
}, async (t) => {
  const { local, federated, downstreamAgent } = await start(t);
  const upstreamId = local.id('/upstream-proxy');
  const [mtls, tls] = [await startHearer(t), await startHearer(t)];
  const upstream = await startEnvoy(t, {
    role: 'server',
    socket: local.agentSocket,
    svid: upstreamId,
    validation: 'ALL',
    peer: /spiffe:\/\/(federated-domain|domain)\.test\/downstream-proxy/,
    target: mtls.port,
    tlsTarget: tls.port,
  });
  const downstream = (agent: AgentProcess, validation: string) =>
    startEnvoy(t, {
      role: 'client',
      socket: agent.socket,
      svid: agent.domain.id('/downstream-proxy'),
      validation,
      peer: upstreamId,
      target: upstream.port,
      tlsTarget: upstream.tlsPort,
    });
  for (const envoy of [
    await downstream(downstreamAgent, 'spiffe://domain.test'),
    await downstream(federated.firstAgent, 'ALL'),
  ]) {
    await arrives(mtls, envoy.port, 'HELLO_MTLS');
    await arrives(tls, envoy.tlsPort, 'HELLO_TLS');
  }
});

/** Two servers that learn of each other by command, and the agents of three Envoys. */
async function start(t: TestContext) {
  const [port, othersPort] = [await freePort(), await freePort()];
  const server = (ownPort: number) =>
    `ca_ttl = "1h"\n default_x509_svid_ttl = "5m"\n ${federationBlock(`port = ${ownPort}`)}`;
  const {
    domain: local,
    authority,
    node,
  } = await startX509popDomain(t, {
    ...standard,
    server: server(port),
  });
  const { domain: federated, node: federatedNode } = await startX509popDomain(t, {
    name: FEDERATED,
    server: server(othersPort),
  });
  const downstreamNode = await authority.issue('downstream');
  const downstreamAgent = await local.addAgent('downstream', {
    agentAttestor: downstreamNode.attestor,
  });
  await local.startAgent();
  await downstreamAgent.start();
  await federated.startAgent();

  const bundle = local.path('federated.json');
  await writeFile(
    bundle,
    (await federated.runServer('bundle', 'show', '-format', 'spiffe')).stdout,
  );
  const relate = (url: string, endpointId: string, ...flags: readonly string[]) => {
    const profile = ['-bundleEndpointProfile', 'https_spiffe', '-bundleEndpointURL', url];
    return ['federation', 'create', ...profile, '-endpointSpiffeID', endpointId, ...flags];
  };
  const bootstrap = ['-trustDomainBundleFormat', 'spiffe', '-trustDomainBundlePath', bundle];
  const endpoint = [`https://localhost:${othersPort}`, federated.id('/spire/server')] as const;
  await local.runServer(...relate(...endpoint, '-trustDomain', FEDERATED, ...bootstrap));
  // Nobody answers at this address: what was carried there by hand must do.
  await carryBundle(local, federated);
  const wrong = ['https://localhost', local.id('/spire/server')] as const;
  await federated.runServer(...relate(...wrong, '-trustDomain', local.id('')));
  for (const [domain, other] of [
    [local, federated],
    [federated, local],
  ] as const) {
    const { stdout } = await domain.runServer('federation', 'show', '-trustDomain', other.name);
    assert.ok(stdout.includes(`Trust domain              : ${other.name}`), stdout);
  }

  const entry = (
    domain: TrustDomainProcesses,
    path: string,
    agent: string,
    ...flags: readonly string[]
  ) => domain.createEntry(path, OWN, '-parentID', domain.id(agent), ...flags);
  const federatesWith = (domain: TrustDomainProcesses) => ['-federatesWith', domain.id('')];
  await entry(local, '/upstream-proxy', node.path, ...federatesWith(federated));
  await entry(local, '/downstream-proxy', downstreamNode.path);
  await entry(federated, '/downstream-proxy', federatedNode.path, ...federatesWith(local));
  return { local, federated, downstreamAgent };
}
