import type { Bundle } from '../../spiffe/bundle.ts';
import { writeJwtKeySet } from '../../spiffe/bundle-document.ts';
import type { WorkloadReference } from '../../wire/gen/spiffe/broker/api_pb.ts';
import { x509BundlesByTrustDomain } from '../workload-api/bundle-answers.ts';
import type { BrokerCall } from './call.ts';
import type { BrokerApiDeps } from './service.ts';

type Request = { readonly reference?: WorkloadReference | undefined };
type Values = { readonly bundles: { [trustDomain: string]: Uint8Array } };

/** All bundles that the agent holds, and again after each change. */
export const subscribeToX509Bundles = (deps: BrokerApiDeps, request: Request, call: BrokerCall) =>
  everyBundle(deps, request, call, x509BundlesByTrustDomain);

export const subscribeToJwtBundles = (deps: BrokerApiDeps, request: Request, call: BrokerCall) =>
  everyBundle(deps, request, call, (bundles) =>
    Object.fromEntries(
      bundles.map((bundle) => [bundle.trustDomain.idString, Buffer.from(writeJwtKeySet(bundle))]),
    ),
  );

/** The reference only shows that the broker may act for somebody: the bundles are the same for all. */
async function* everyBundle(
  { identities }: BrokerApiDeps,
  { reference }: Request,
  call: BrokerCall,
  values: (bundles: readonly Bundle[]) => Values['bundles'],
): AsyncGenerator<Values> {
  await call.resolve(reference);
  using subscription = identities.subscribeBundles();
  for (;;) yield { bundles: values(await subscription.next(call.signal)) };
}
