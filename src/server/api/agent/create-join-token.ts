import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { joinTokenAgentId } from '../../../plugins/node-attestor/join-token/server.ts';
import type { Answer } from '../../../rpc/service.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { CreateJoinTokenRequest } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { JoinTokenSchema } from '../../../wire/gen/spire/api/types/jointoken_pb.ts';
import { prefixed } from '../../../wire/prefixed.ts';
import { workloadIdFromProto } from '../../../wire/spiffe-id.ts';
import type { JoinTokenStore, NewEntry } from '../../datastore/contract.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { rethrow } from '../refusal.ts';

export type CreateJoinTokenDeps = {
  readonly joinTokens: Pick<JoinTokenStore, 'create'>;
  readonly entries: Pick<EntryRegistry, 'create'>;
  readonly trustDomain: TrustDomain;
  readonly clock: Pick<Clock, 'now'>;
  readonly newUuid: () => string;
};

export async function createJoinToken(
  deps: CreateJoinTokenDeps,
  request: Omit<CreateJoinTokenRequest, '$typeName'>,
  call: Pick<Call, 'audit'>,
): Promise<Answer<typeof JoinTokenSchema>> {
  const { ttl, agentId } = request;
  if (ttl > 0) call.audit({ ttl });
  if (ttl < 1) throw new Fault('invalid', 'ttl is required, you must provide one');
  const alias =
    agentId && prefixed('invalid agent ID', () => workloadIdFromProto(agentId, deps.trustDomain));
  if (alias) call.audit({ spiffe_id: alias.toString() });

  const token = request.token === '' ? deps.newUuid() : request.token;
  const expiresAt = unixSeconds(deps.clock) + ttl;
  await deps.joinTokens.create({ token, expiresAt }).catch(rethrow('failed to create token'));
  if (alias) {
    await createAlias(deps, token, alias).catch(
      rethrow('failed to create join token registration entry'),
    );
  }
  return { value: token, expiresAt: BigInt(expiresAt) };
}

/** The entry that gives the token's agent a second ID; an equal one that exists already will do. */
async function createAlias(
  { entries, trustDomain }: CreateJoinTokenDeps,
  token: string,
  alias: SpiffeId,
): Promise<void> {
  const parentId = prefixed('failed to create join token ID', () =>
    joinTokenAgentId(trustDomain, token),
  );
  await entries.create({
    ...plainEntry,
    spiffeId: alias,
    parentId,
    selectors: [{ type: 'spiffe_id', value: parentId.toString() }],
  });
}

const plainEntry = {
  id: '',
  x509SvidTtlSeconds: 0,
  jwtSvidTtlSeconds: 0,
  federatesWith: [],
  admin: false,
  downstream: false,
  expiresAt: 0,
  dnsNames: [],
  storeSvid: false,
  hint: '',
  additionalAttributes: undefined,
} satisfies Partial<NewEntry>;
