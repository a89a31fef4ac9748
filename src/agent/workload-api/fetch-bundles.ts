import { Fault } from '../../base/fault.ts';
import { type Encoded, encoded } from '../../rpc/service.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import { encodeJwtBundles, encodeWitBundles, encodeX509Bundles } from './bundle-answers.ts';
import type { WorkloadCall } from './call.ts';
import { callerSelectors } from './caller-selectors.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { noIdentity } from './no-identity.ts';

/** FetchX509Bundles (`reference/agent.md` §4.3). */
export const fetchX509Bundles = (deps: WorkloadApiDeps, call: WorkloadCall) =>
  fetchBundles(deps, call, encodeX509Bundles);

/** FetchJWTBundles. */
export const fetchJwtBundles = (deps: WorkloadApiDeps, call: WorkloadCall) =>
  fetchBundles(deps, call, encodeJwtBundles);

/** FetchWITBundles. */
export const fetchWitBundles = (deps: WorkloadApiDeps, call: WorkloadCall) =>
  fetchBundles(deps, call, encodeWitBundles);

/** A message when the bundles differ from those of the last one. */
async function* fetchBundles(
  deps: WorkloadApiDeps,
  call: WorkloadCall,
  encode: (bundles: readonly Bundle[]) => Uint8Array,
): AsyncGenerator<Encoded> {
  const selectors = await callerSelectors(deps, call);
  using subscription = deps.identities.subscribe(selectors);
  let sent: Uint8Array | undefined;
  for (;;) {
    const update = await subscription.next(call.signal);
    if (update.identities.length === 0 && !deps.allowUnauthenticatedVerifiers) {
      throw call.isOwn
        ? new Fault('denied', 'no identity issued')
        : noIdentity(deps, call, selectors);
    }
    const bytes = encode(bundlesOf(update));
    if (sent !== undefined && Buffer.compare(sent, bytes) === 0) continue;
    sent = bytes;
    yield encoded(bytes);
  }
}

/** The own one, and those of the caller's identities; without an identity there is none of these. */
const bundlesOf = ({ bundle, federatedBundles }: WorkloadUpdate): readonly Bundle[] => [
  bundle,
  ...federatedBundles,
];
