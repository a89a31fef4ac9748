import { create, toBinary } from '@bufbuild/protobuf';
import { unixSeconds } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { parseCertificates } from '../../../crypto/x509/certificate.ts';
import { type Encoded, encoded } from '../../../rpc/service.ts';
import { SubscribeToX509SVIDsResponseSchema } from '../../../wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import type { Identity, WorkloadUpdate } from '../../cache/workload-update.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import type { DelegatedIdentityDeps } from './deps.ts';
import { requireDelegate } from './require-delegate.ts';
import { type Target, targetSelectors } from './target-selectors.ts';

/** A message per update of the target's identities; an empty one when it has none (`reference/agent.md` §4.7). */
export async function* subscribeToX509Svids(
  deps: DelegatedIdentityDeps,
  request: Target,
  call: WorkloadCall,
): AsyncGenerator<Encoded> {
  const calledAt = deps.clock.now();
  let isFirstIdentityDue = true;
  const caller = await call.attest();
  requireDelegate(deps, caller, call);
  const selectors = await targetSelectors(deps, request, call);
  using subscription = deps.identities.subscribe(selectors);
  for (;;) {
    const update = await subscription.next(call.signal);
    requireDelegate(deps, caller, call);
    const { identities, message } = answerOf(update, call);
    if (call.log.enabled('debug')) tellIdentities(deps, call, identities);
    yield message;
    if (isFirstIdentityDue && identities.length > 0) {
      isFirstIdentityDue = false;
      deps.metrics.sample(FIRST_UPDATE, deps.clock.now() - calledAt);
    }
  }
}

const FIRST_UPDATE = [
  'delegated_identity_api',
  'subscribe_x509_svids',
  'first_update',
  'elapsed_time',
];

type Answer = { readonly message: Encoded; readonly identities: readonly Identity[] };

/** Targets with the same identities are told the same bytes. */
const answers = new WeakMap<WorkloadUpdate, Answer>();

function answerOf(update: WorkloadUpdate, { log }: WorkloadCall): Answer {
  const known = answers.get(update);
  if (known !== undefined) return known;
  // What lets its holder administer servers, or sign, is not given to others.
  const identities = update.identities.filter(({ entry }) => !entry.admin && !entry.downstream);
  const answer = { identities, message: encode(update, identities, log) };
  answers.set(update, answer);
  return answer;
}

function encode(
  update: WorkloadUpdate,
  identities: readonly Identity[],
  log: WorkloadCall['log'],
): Encoded {
  try {
    const message = create(SubscribeToX509SVIDsResponseSchema, {
      x509Svids: identities.map(({ entry, svid }) => ({
        x509Svid: {
          id: spiffeIdToProto(entry.spiffeId),
          certChain: parseCertificates(svid.chain).map(({ der }) => der),
          expiresAt: BigInt(svid.notAfter),
          hint: entry.hint,
        },
        x509SvidKey: svid.privateKey,
      })),
      federatesWith: federatedIds(update),
    });
    return encoded(toBinary(SubscribeToX509SVIDsResponseSchema, message));
  } catch (error) {
    log.error('Could not serialize response', { error: error as Error });
    throw new Fault('internal', 'could not serialize response', { cause: error });
  }
}

/** Those of the identities that are left out too, as in SPIRE. */
const federatedIds = ({ identities }: WorkloadUpdate): string[] =>
  [
    ...new Set(
      identities.flatMap(({ entry }) => entry.federatesWith.map(({ idString }) => idString)),
    ),
  ].sort();

function tellIdentities(
  { clock }: DelegatedIdentityDeps,
  { log }: WorkloadCall,
  identities: readonly Identity[],
): void {
  for (const { entry, svid } of identities) {
    log.debug('Fetched X.509 SVID for delegated identity', {
      spiffe_id: entry.spiffeId.toString(),
      ttl: svid.notAfter - unixSeconds(clock),
    });
  }
}
