import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { unixSeconds } from '../../src/base/clock.ts';
import { type DenialReason, Fault, reasonOf } from '../../src/base/fault.ts';
import { buildCertificate } from '../../src/crypto/x509/build-certificate.ts';
import { silentLog } from '../../src/ops/log.ts';
import { noMetrics } from '../../src/ops/metrics.ts';
import { codeName } from '../../src/rpc/status.ts';
import { permissions } from '../../src/server/api/authorization.ts';
import { createInterceptor } from '../../src/server/api/interceptor.ts';
import { createRateLimits } from '../../src/server/api/rate-limits.ts';
import { serverServices } from '../../src/server/api/services.ts';
import type { Peer } from '../../src/server/endpoints/peer.ts';
import { createClientVerifier } from '../../src/server/endpoints/verify-client.ts';
import { selfSignedCaTemplate, workloadTemplate } from '../../src/spiffe/profiles.ts';
import { callAs } from '../kit/api-caller.ts';
import { type ApiWorld, apiSuite } from '../kit/api-world.ts';

/** What SPIRE answers to an empty request, by method and caller. */
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, 'authorization.json'), 'utf8'),
) as Record<string, Record<string, string>>;

const refusedAtHandshake = 'refused at the TLS handshake';

apiSuite('who may call what', (world) => {
  const peers = new Map<string, Peer | typeof refusedAtHandshake>();

  before(async () => {
    for (const [name, peer] of Object.entries(await callersOf(world))) peers.set(name, peer);
  });

  test('the table is that of the reference', () => {
    assert.deepEqual(
      new Set(Object.keys(golden).map((method) => `/${method}`)),
      new Set(permissions.keys()),
    );
  });

  for (const [method, expected] of Object.entries(golden)) {
    test(method, async () => {
      const actual: Record<string, string> = {};
      const wanted: Record<string, string> = {};
      for (const [caller, answer] of Object.entries(expected)) {
        const peer = peers.get(caller);
        assert.ok(peer, `no such caller: ${caller}`);
        actual[caller] = await answerTo(world, peer, `/${method}`);
        wanted[caller] = answer;
      }
      assert.deepEqual(actual, wanted);
    });
  }
});

/** The answer in the words of the table. */
async function answerTo(
  world: ApiWorld,
  peer: Peer | typeof refusedAtHandshake,
  method: string,
): Promise<string> {
  if (peer === refusedAtHandshake) return refusedAtHandshake;
  const { deps, clock } = world;
  const intercept = createInterceptor({
    ...deps,
    adminIds: new Set([world.id('/admin-by-config').toString()]),
    rateLimits: createRateLimits({ attestation: true, signing: true }, clock),
    auditLogEnabled: true,
    metrics: noMetrics,
    clock,
    newRequestId: randomUUID,
    programOf: async () => undefined,
    log: silentLog,
  });
  try {
    await callAs(peer, method, { services: serverServices(deps), intercept });
    return 'OK';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const reason = error.denial === undefined ? '' : ` [${reasons[error.denial]}]`;
    return `${codeName(error.kind)}: ${error.message}${reason}`;
  }
}

const reasons: Record<DenialReason, string> = {
  expired: 'AGENT_EXPIRED',
  'not-attested': 'AGENT_NOT_ATTESTED',
  'not-active': 'AGENT_NOT_ACTIVE',
  banned: 'AGENT_BANNED',
  'must-reattest': 'AGENT_MUST_REATTEST',
};

async function callersOf(
  world: ApiWorld,
): Promise<Record<string, Peer | typeof refusedAtHandshake>> {
  const { deps, trustDomain, clock } = world;
  const verify = createClientVerifier({
    bundles: deps.bundles,
    trustDomain,
    adminIds: [world.id('/admin-by-config')],
    clock,
    log: silentLog,
  });
  const { publicKey } = await world.key();
  const network = { kind: 'tcp', address: '192.0.2.1', port: 4711 } as const;

  const tcpPeer = async (chain: readonly Uint8Array[]): Promise<Peer> => ({
    ...network,
    ...(await verify(chain)),
  });
  const workload = async (path: string, flags?: { admin?: true; downstream?: true }) => {
    const id = world.id(path);
    if (flags) await world.entry({ spiffeId: id, ...flags });
    const svid = await deps.issuer.workloadX509Svid({ id, publicKey, dnsNames: [], ttlSeconds: 0 });
    return tcpPeer(svid.chain);
  };
  const agent = async (name: string) => {
    const id = world.id(`/spire/agent/${name}`);
    const { chain, serialNumber } = await deps.issuer.agentX509Svid(id, publicKey);
    await world.agent(name, { serialNumber: serialNumber.toString() });
    return tcpPeer(chain);
  };

  const banned = await agent('banned');
  await deps.agents.ban(world.id('/spire/agent/banned'));
  const evicted = await agent('evicted');
  await deps.agents.delete(world.id('/spire/agent/evicted'));

  return {
    local: { kind: 'local', pid: 1, uid: 0, gid: 0 },
    anonymous: { ...network, chain: [], id: undefined },
    agent: await agent('a'),
    'banned-agent': banned,
    'evicted-agent': evicted,
    workload: await workload('/workload', {}),
    'no-entry': await workload('/no-entry'),
    admin: await workload('/admin', { admin: true }),
    'admin-by-config': await workload('/admin-by-config'),
    downstream: await workload('/downstream', { downstream: true }),
    'admin-downstream': await workload('/both', { admin: true, downstream: true }),
    'self-signed': await tcpPeer(await selfSigned(world)).catch(handshakeRefusal),
  };
}

function handshakeRefusal(error: unknown): typeof refusedAtHandshake {
  assert.match(reasonOf(error), /certificate signed by unknown authority/);
  return refusedAtHandshake;
}

/** An SVID that no bundle verifies: its CA is nobody's. */
async function selfSigned(world: ApiWorld): Promise<Uint8Array[]> {
  const key = await world.key();
  const now = unixSeconds(world.clock);
  const basics = {
    serialNumber: 1n,
    publicKey: key.publicKey.spki,
    notBefore: now - 10,
    notAfter: now + 3600,
  };
  const ca = selfSignedCaTemplate(world.trustDomain, { O: ['nobody'] }, basics);
  const template = workloadTemplate({ id: world.id('/admin'), dnsNames: [] }, basics, {
    subject: ca.subject,
    subjectKeyId: ca.subjectKeyId ?? new Uint8Array(),
  });
  return [await buildCertificate(template, key)];
}
