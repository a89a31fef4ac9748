import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { keptAnswer } from '../../../base/kept-answer.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../../spiffe/x509-svid.ts';
import type { GetInfoResponseSchema } from '../../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { chainToProto } from '../../../wire/svid-chain.ts';
import type { AgentRegistry, BundleRegistry, EntryRegistry } from '../../registry/contract.ts';
import { notFound, rethrow } from '../refusal.ts';

export type GetInfoDeps = {
  readonly agents: Pick<AgentRegistry, 'rows'>;
  readonly entries: Pick<EntryRegistry, 'rows'>;
  readonly bundles: Pick<BundleRegistry, 'get' | 'rows'>;
  readonly trustDomain: TrustDomain;
  /** The chain of the server's own X509-SVID, leaf first. */
  readonly ownChain: () => readonly Uint8Array[];
  /** When the server was started, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly clock: Pick<Clock, 'now'>;
};

type Answer = MessageInitShape<typeof GetInfoResponseSchema>;

/** Whoever asks again so soon gets the same answer (`reference/server.md` §14.9). */
const CACHE_MILLISECONDS = 5_000;

/** The handler of Debug/GetInfo. */
export const createGetInfo = (deps: GetInfoDeps): (() => Promise<Answer>) =>
  keptAnswer(CACHE_MILLISECONDS, deps.clock, (now) => getInfo(deps, now));

async function getInfo(deps: GetInfoDeps, now: number): Promise<Answer> {
  const { agents, entries, bundles, trustDomain, clock, startedAt } = deps;
  const bundle = bundles.get(trustDomain);
  if (bundle === undefined) throw notFound('trust domain bundle not found');
  const chain = await verifyX509Svid(deps.ownChain(), ownBundle(bundle), unixSeconds(clock)).catch(
    rethrow('failed verification against bundle'),
  );
  return {
    svidChain: chainToProto(chain.chain),
    uptime: Math.max(0, Math.floor((now - startedAt) / 1000)),
    agentsCount: agents.rows().length,
    entriesCount: entries.rows().length,
    federatedBundlesCount: bundles.rows().length,
  };
}

const ownBundle =
  (bundle: Bundle) =>
  (trustDomain: TrustDomain): Bundle | undefined =>
    trustDomain.equals(bundle.trustDomain) ? bundle : undefined;
