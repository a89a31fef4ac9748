import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey, type PrivateKey } from '../../src/crypto/keys.ts';
import { type Channel, type Client, dial } from '../../src/rpc/dial.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { type BenchDomain, TRUST_DOMAIN } from './domain.ts';

/** A connection to the server with an agent's SVID, and the admin's socket beside it. */
export type AgentClient = {
  readonly channel: Channel;
  readonly admin: Channel;
  readonly agentPath: string;
  readonly key: PrivateKey;
};

export async function attestAsAgent(domain: BenchDomain): Promise<AgentClient> {
  const admin = dial({ address: `unix:${domain.path('server.sock')}` });
  const { value: token } = await admin.client(Agent).createJoinToken({ ttl: 600 });
  const key = await generateKey('ec-p256');
  const csr = await buildCsr({ uris: [], dnsNames: [] }, key);
  const chain = await attest(domain, token, csr);
  const channel = dial({
    address: `127.0.0.1:${domain.port}`,
    tls: { verify() {}, identity: () => ({ chain, privateKey: key.toPkcs8() }) },
    maxReceiveBytes: 64 * 1024 * 1024,
  });
  return { channel, admin, key, agentPath: `/spire/agent/join_token/${token}` };
}

/** Connects, attests, and resolves with the chain. */
export async function attest(
  domain: BenchDomain,
  token: string,
  csr: Uint8Array,
): Promise<readonly Uint8Array[]> {
  using channel = dial({ address: `127.0.0.1:${domain.port}`, tls: { verify() {} } });
  const answers = channel.client(Agent).attestAgent(
    (async function* () {
      const data = { type: 'join_token', payload: Buffer.from(token) };
      yield { step: { case: 'params', value: { data, params: { csr } } } } as const;
    })(),
  );
  for await (const { step } of answers) {
    if (step.case === 'result') return step.value.svid?.certChain ?? [];
  }
  throw new Error('no SVID for the token');
}

/** Makes entries below that agent and resolves with their IDs. */
export async function createEntries(
  entries: Client<typeof Entry>,
  count: number,
  { parentPath, selector }: { parentPath: string; selector: string },
): Promise<string[]> {
  const ids: string[] = [];
  const [type = '', ...rest] = selector.split(':');
  for (let from = 0; from < count; from += 500) {
    const { results } = await entries.batchCreateEntry({
      entries: Array.from({ length: Math.min(500, count - from) }, (_, i) => ({
        parentId: { trustDomain: TRUST_DOMAIN, path: parentPath },
        spiffeId: { trustDomain: TRUST_DOMAIN, path: `/workload/${from + i}` },
        selectors: [{ type, value: rest.join(':') }],
      })),
    });
    for (const { entry, status } of results) {
      if (entry === undefined) throw new Error(status?.message);
      ids.push(entry.id);
    }
  }
  return ids;
}
