import type { Bundle } from '../../../spiffe/bundle.ts';
import { writeJwtKeySet } from '../../../spiffe/bundle-document.ts';
import { x509BundleBytes } from '../../workload-api/bundle-answers.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import type { DelegatedIdentityDeps } from './deps.ts';
import { requireDelegate } from './require-delegate.ts';

type Values = { [trustDomain: string]: Uint8Array };

export async function* subscribeToX509Bundles(
  deps: DelegatedIdentityDeps,
  call: WorkloadCall,
): AsyncGenerator<{ caCertificates: Values }> {
  for await (const caCertificates of everyBundle(deps, call, x509BundleBytes)) {
    yield { caCertificates };
  }
}

export async function* subscribeToJwtBundles(
  deps: DelegatedIdentityDeps,
  call: WorkloadCall,
): AsyncGenerator<{ bundles: Values }> {
  const value = (bundle: Bundle) => Buffer.from(writeJwtKeySet(bundle));
  for await (const bundles of everyBundle(deps, call, value)) yield { bundles };
}

/**
 * All bundles that the agent holds, and again after each change. A trust domain that goes away stays in what a stream
 * tells, as in SPIRE.
 */
async function* everyBundle(
  deps: DelegatedIdentityDeps,
  call: WorkloadCall,
  value: (bundle: Bundle) => Uint8Array,
): AsyncGenerator<Values> {
  const caller = await call.attest();
  requireDelegate(deps, caller, call);
  using subscription = deps.identities.subscribeBundles();
  const told: Values = {};
  for (let isFirst = true; ; isFirst = false) {
    const bundles = await subscription.next(call.signal);
    if (!isFirst) requireDelegate(deps, caller, call);
    for (const bundle of bundles) told[bundle.trustDomain.idString] = value(bundle);
    yield { ...told };
  }
}
