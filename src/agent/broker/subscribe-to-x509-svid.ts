import { create, toBinary } from '@bufbuild/protobuf';
import { unixSeconds } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { type Encoded, encoded } from '../../rpc/service.ts';
import {
  type SubscribeToX509SVIDRequest,
  SubscribeToX509SVIDResponseSchema,
} from '../../wire/gen/spiffe/broker/api_pb.ts';
import { withoutDuplicateHints } from '../cache/hint-rule.ts';
import type { Identity, WorkloadUpdate } from '../cache/workload-update.ts';
import { x509BundleBytes, x509BundlesByTrustDomain } from '../workload-api/bundle-answers.ts';
import type { BrokerCall } from './call.ts';
import type { BrokerApiDeps } from './service.ts';

/** A message per update of the workload's identities, an empty one when it has none (`reference/agent.md` §4.8). */
export async function* subscribeToX509Svid(
  { identities, clock }: BrokerApiDeps,
  { reference }: Pick<SubscribeToX509SVIDRequest, 'reference'>,
  call: BrokerCall,
): AsyncGenerator<Encoded> {
  const selectors = await call.resolve(reference);
  using subscription = identities.subscribe(selectors);
  for (;;) {
    const update = await subscription.next(call.signal);
    const told = toldOf(update, call);
    for (const { entry, svid } of told) {
      call.log.debug('Fetched X.509 SVID', {
        spiffe_id: entry.spiffeId.toString(),
        ttl: svid.notAfter - unixSeconds(clock),
      });
    }
    yield encoded(encode(update, told));
  }
}

/** What lets its holder administer servers, or sign, is not given to others. */
const toldOf = ({ identities }: WorkloadUpdate, { log }: BrokerCall): readonly Identity[] =>
  withoutDuplicateHints(identities, log).filter(({ entry }) => !entry.admin && !entry.downstream);

function encode(
  { bundle, federatedBundles }: WorkloadUpdate,
  identities: readonly Identity[],
): Uint8Array {
  const ownBundle = x509BundleBytes(bundle);
  if (ownBundle.length === 0) {
    throw new Fault('unavailable', 'could not serialize response: bundle not available');
  }
  const federated = new Set(
    identities.flatMap(({ entry }) => entry.federatesWith.map(({ name }) => name)),
  );
  return toBinary(
    SubscribeToX509SVIDResponseSchema,
    create(SubscribeToX509SVIDResponseSchema, {
      svids: identities.map(({ entry, svid }) => ({
        spiffeId: entry.spiffeId.toString(),
        x509Svid: svid.chain,
        x509SvidKey: svid.privateKey,
        bundle: ownBundle,
        hint: entry.hint,
      })),
      federatedBundles: x509BundlesByTrustDomain(
        federatedBundles.filter(({ trustDomain }) => federated.has(trustDomain.name)),
      ),
    }),
  );
}
