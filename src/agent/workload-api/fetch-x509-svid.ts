import { create, toBinary } from '@bufbuild/protobuf';
import { unixSeconds } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { type Encoded, encoded } from '../../rpc/service.ts';
import { X509SVIDResponseSchema } from '../../wire/gen/spiffe/workload/workload_pb.ts';
import { withoutDuplicateHints } from '../cache/hint-rule.ts';
import type { Identity, WorkloadUpdate } from '../cache/workload-update.ts';
import { x509BundleBytes, x509BundlesByTrustDomain } from './bundle-answers.ts';
import type { WorkloadCall } from './call.ts';
import { callerSelectors } from './caller-selectors.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { noIdentity } from './no-identity.ts';

/** A message per update, until the caller has no identity any more (`reference/agent.md` §4.3). */
export async function* fetchX509Svid(
  deps: WorkloadApiDeps,
  call: WorkloadCall,
): AsyncGenerator<Encoded> {
  const selectors = await callerSelectors(deps, call);
  using subscription = deps.identities.subscribe(selectors);
  for (;;) {
    const update = await subscription.next(call.signal);
    if (update.identities.length === 0) {
      throw call.isOwn
        ? new Fault('denied', 'no identity issued')
        : noIdentity(deps, call, selectors);
    }
    const answer = answerOf(update, call.log);
    if (call.log.enabled('debug')) tellIdentities(deps, call, answer.identities);
    yield answer.message;
  }
}

type X509SvidAnswer = { readonly message: Encoded; readonly identities: readonly Identity[] };

/** Workloads with the same identities are given the same bytes. */
const answers = new WeakMap<WorkloadUpdate, X509SvidAnswer>();

function answerOf(update: WorkloadUpdate, log: Log): X509SvidAnswer {
  const known = answers.get(update);
  if (known !== undefined) return known;
  const identities = withoutDuplicateHints(update.identities, log);
  const answer = { identities, message: encoded(encodeAnswer(update, identities)) };
  answers.set(update, answer);
  return answer;
}

function encodeAnswer(
  { bundle, federatedBundles }: WorkloadUpdate,
  identities: readonly Identity[],
): Uint8Array {
  const ownBundle = x509BundleBytes(bundle);
  if (ownBundle.length === 0) {
    throw new Fault('unavailable', 'could not serialize response: bundle not available');
  }
  return toBinary(
    X509SVIDResponseSchema,
    create(X509SVIDResponseSchema, {
      svids: identities.map(({ entry, svid }) => ({
        spiffeId: entry.spiffeId.toString(),
        x509Svid: svid.chain,
        x509SvidKey: svid.privateKey,
        bundle: ownBundle,
        hint: entry.hint,
      })),
      federatedBundles: x509BundlesByTrustDomain(federatedBundles),
    }),
  );
}

function tellIdentities(
  { clock }: WorkloadApiDeps,
  { log }: WorkloadCall,
  identities: readonly Identity[],
): void {
  for (const { entry, svid } of identities) {
    log.debug('Fetched X.509 SVID', {
      count: identities.length,
      registered: true,
      spiffe_id: entry.spiffeId.toString(),
      ttl: svid.notAfter - unixSeconds(clock),
    });
  }
}
