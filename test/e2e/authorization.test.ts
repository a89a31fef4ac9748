import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DenialReason, Fault } from '../../src/base/fault.ts';
import type { Channel } from '../../src/rpc/dial.ts';
import { codeName } from '../../src/rpc/status.ts';
import { callMethod } from '../kit/call-method.ts';
import {
  attestWithToken,
  dialLocal,
  dialNetwork,
  type Identity,
  mintIdentity,
} from '../kit/server-callers.ts';
import { startServerOnly, type TrustDomainProcesses } from '../kit/trust-domain.ts';

/** What SPIRE answers to an empty request, by method and caller. */
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../conformance/authorization.json'), 'utf8'),
) as Record<string, Record<string, string>>;

const callers = new Set(Object.values(golden).flatMap((answers) => Object.keys(answers)));

describe('who may call what, on the sockets of a server that runs', () => {
  const channels = new Map<string, Channel>();
  const cleanUps: (() => Promise<void> | void)[] = [];

  before(async () => {
    const domain = await startServerOnly(
      { after: (run) => void cleanUps.unshift(run as () => Promise<void>) },
      {
        server:
          'admin_ids = ["spiffe://example.test/admin-by-config"]\n ratelimit { attestation = false }',
      },
    );
    for (const [name, channel] of Object.entries(await channelsOf(domain))) {
      channels.set(name, channel);
      cleanUps.unshift(() => {
        channel[Symbol.dispose]();
      });
    }
  });
  after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  for (const caller of callers) {
    test(caller, async () => {
      const channel = channels.get(caller);
      assert.ok(channel, `no such caller: ${caller}`);
      const actual: Record<string, string> = {};
      const wanted: Record<string, string> = {};
      for (const [method, answers] of Object.entries(golden)) {
        const answer = answers[caller] ?? '';
        actual[method] = await answerTo(channel, `/${method}`);
        wanted[method] = answer;
      }
      assert.deepEqual(actual, wanted);
    });
  }
});

/** The answer in the words of the table. */
async function answerTo(channel: Channel, method: string): Promise<string> {
  try {
    await callMethod(channel, method);
    return 'OK';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (isNoConnection(error)) return 'refused at the TLS handshake';
    const reason = error.denial === undefined ? '' : ` [${reasons[error.denial]}]`;
    return `${codeName(error.kind)}: ${error.message}${reason}`;
  }
}

/** A server that refuses a certificate of TLS 1.3 does so after the client believes itself connected. */
const isNoConnection = ({ kind, message }: Fault): boolean =>
  kind === 'unavailable' &&
  /connection (error|closed)|ECONNRESET|closed|reset|dropped/i.test(message);

const reasons: Record<DenialReason, string> = {
  expired: 'AGENT_EXPIRED',
  'not-attested': 'AGENT_NOT_ATTESTED',
  'not-active': 'AGENT_NOT_ACTIVE',
  banned: 'AGENT_BANNED',
  'must-reattest': 'AGENT_MUST_REATTEST',
};

async function channelsOf(domain: TrustDomainProcesses): Promise<Record<string, Channel>> {
  const network = (identity?: Identity) => dialNetwork(domain, identity);
  const agent = async () => attestWithToken(domain, await domain.newToken());
  const [good, banned, evicted] = [await agent(), await agent(), await agent()];
  await domain.runServer('agent', 'ban', '-spiffeID', banned.id);
  await domain.runServer('agent', 'evict', '-spiffeID', evicted.id);

  const workload = async (path: string, ...flags: readonly string[]) => {
    if (flags.length > 0) await domain.createEntry(path, ['unix:uid:4242'], ...flags.slice(1));
    return network(await mintIdentity(domain, domain.id(path)));
  };
  const entry = 'with an entry';
  // The same trust domain by name, so that nothing but the signature tells it from an SVID of ours.
  const impostor = await startImpostor(domain);
  return {
    local: dialLocal(domain),
    anonymous: network(),
    agent: network(good),
    'banned-agent': network(banned),
    'evicted-agent': network(evicted),
    workload: await workload('/workload', entry),
    'no-entry': await workload('/no-entry'),
    admin: await workload('/admin', entry, '-admin'),
    'admin-by-config': await workload('/admin-by-config'),
    downstream: await workload('/downstream', entry, '-downstream'),
    'admin-downstream': await workload('/both', entry, '-admin', '-downstream'),
    'self-signed': network(impostor),
  };
}

/** An SVID of the same ID as the admin's, that an authority signed which is in no bundle. */
async function startImpostor(domain: TrustDomainProcesses): Promise<Identity> {
  const cleanUps: (() => Promise<void>)[] = [];
  const other = await startServerOnly(
    { after: (run) => void cleanUps.push(run as () => Promise<void>) },
    { name: domain.name },
  );
  const identity = await mintIdentity(other, domain.id('/admin'));
  for (const cleanUp of cleanUps) await cleanUp();
  return identity;
}
