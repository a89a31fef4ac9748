import { test } from 'node:test';
import { noEnvoy, startEnvoy } from '../interop/envoy/envoy.ts';
import { arrives, startHearer } from '../kit/lines.ts';
import { standard } from '../kit/standard-domain.ts';
import { startX509popDomain } from '../kit/x509pop-domain.ts';

const OWN = [`unix:uid:${process.getuid?.() ?? 0}`];

/** SPIRE's scenario envoy-sds-v3, with the one release of Envoy that comes as a package. */
test('two Envoys with an agent each talk mTLS, and TLS of which only one has a certificate', {
  skip: noEnvoy,
}, async (t) => {
  const { domain, authority, node } = await startX509popDomain(t, {
    ...standard,
    server: 'ca_ttl = "1h"\n default_x509_svid_ttl = "1m"',
  });
  const otherNode = await authority.issue('downstream');
  const upstreamAgent = domain.firstAgent;
  const downstreamAgent = await domain.addAgent('downstream', {
    agentAttestor: otherNode.attestor,
  });
  await upstreamAgent.start();
  await downstreamAgent.start();
  const below = (path: string) => ['-parentID', domain.id(path), '-x509SVIDTTL', '0'];
  await domain.createEntry('/upstream-workload', OWN, ...below(node.path));
  await domain.createEntry('/downstream-workload', OWN, ...below(otherNode.path));

  const [mtls, tls] = [await startHearer(t), await startHearer(t)];
  const validation = 'spiffe://domain.test';
  const upstream = await startEnvoy(t, {
    role: 'server',
    socket: upstreamAgent.socket,
    svid: domain.id('/upstream-workload'),
    validation,
    peer: domain.id('/downstream-workload'),
    target: mtls.port,
    tlsTarget: tls.port,
  });
  const downstream = await startEnvoy(t, {
    role: 'client',
    socket: downstreamAgent.socket,
    svid: domain.id('/downstream-workload'),
    validation,
    peer: domain.id('/upstream-workload'),
    target: upstream.port,
    tlsTarget: upstream.tlsPort,
  });
  await arrives(mtls, downstream.port, 'HELLO_MTLS');
  await arrives(tls, downstream.tlsPort, 'HELLO_TLS');
});
