import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { wrapFault } from '../../../base/fault.ts';
import { keptAnswer } from '../../../base/kept-answer.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../../spiffe/x509-svid.ts';
import type { GetInfoResponseSchema } from '../../../wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { chainToProto } from '../../../wire/svid-chain.ts';
import type { Identities } from '../../identities.ts';
import type { AgentStatus } from '../../status.ts';

export type GetInfoDeps = {
  readonly status: AgentStatus;
  readonly identities: Pick<Identities, 'bundles'>;
  /** When the agent was started, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly clock: Pick<Clock, 'now'>;
};

type Answer = MessageInitShape<typeof GetInfoResponseSchema>;

/** Whoever asks again so soon gets the same answer (`reference/agent.md` §4.7). */
const CACHE_MILLISECONDS = 5000;

/** The handler of Debug/GetInfo. */
export const createGetInfo = (deps: GetInfoDeps): (() => Promise<Answer>) =>
  keptAnswer(CACHE_MILLISECONDS, deps.clock, (now) => getInfo(deps, now));

async function getInfo(
  { status, identities, startedAt, clock }: GetInfoDeps,
  now: number,
): Promise<Answer> {
  const { chain } = await verifyX509Svid(
    status.svidChain,
    bundleFrom(identities.bundles()),
    unixSeconds(clock),
  ).catch((error: unknown) => {
    throw wrapFault('failed to verify agent SVID', error, 'internal');
  });
  return {
    svidChain: chainToProto(chain),
    uptime: Math.max(0, Math.floor((now - startedAt) / 1000)),
    svidsCount: status.x509SvidCount,
    cachedX509SvidsCount: status.x509SvidCount,
    cachedJwtSvidsCount: status.jwtSvidCount,
    cachedSvidstoreX509SvidsCount: status.storeSvidCount,
    lastSyncSuccess: BigInt(Math.floor((status.lastSyncSuccess ?? 0) / 1000)),
  };
}

const bundleFrom =
  (bundles: readonly Bundle[]) =>
  (wanted: TrustDomain): Bundle | undefined =>
    bundles.find(({ trustDomain }) => trustDomain.equals(wanted));
