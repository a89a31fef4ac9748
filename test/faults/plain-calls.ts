import assert from 'node:assert/strict';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { attestWithToken, dialLocal } from '../kit/server-callers.ts';
import type { TrustDomainProcesses } from '../kit/trust-domain.ts';

/** Large, so that few of them fill what is left of a disk. */
const HINT = 'x'.repeat(900);

/** Asks for an entry. Resolves with what is said of it: `OK` if it was made. */
export async function createEntry(domain: TrustDomainProcesses, id: string): Promise<string> {
  using channel = dialLocal(domain);
  const trustDomain = domain.name;
  const { results } = await channel.client(Entry).batchCreateEntry({
    entries: [
      {
        id,
        spiffeId: { trustDomain, path: `/${id}` },
        parentId: { trustDomain, path: '/node' },
        selectors: [{ type: 'unix', value: 'uid:1' }],
        hint: HINT,
      },
    ],
  });
  const { code = -1, message = '' } = results[0]?.status ?? {};
  return code === 0 ? message : `code ${code}: ${message}`;
}

export async function entryIds(domain: TrustDomainProcesses): Promise<string[]> {
  using channel = dialLocal(domain);
  const { entries } = await channel.client(Entry).listEntries({});
  return entries.map(({ id }) => id);
}

export async function createToken(domain: TrustDomainProcesses, token: string): Promise<void> {
  using channel = dialLocal(domain);
  await channel.client(Agent).createJoinToken({ token, ttl: 3600 });
}

/** That the token lets an agent in. */
export async function assertGood(domain: TrustDomainProcesses, token: string): Promise<void> {
  const { id } = await attestWithToken(domain, token);
  assert.equal(id, domain.id(`/spire/agent/join_token/${token}`));
}
