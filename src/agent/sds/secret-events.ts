import { Rendezvous } from '../../base/rendezvous.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import type { SdsDeps } from './deps.ts';

/** What happens on a stream of secrets. */
export type SecretEvent<Request> =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'update'; readonly update: WorkloadUpdate };

/**
 * Requests and updates of one attested caller, as they come, until it says no more. No request is read before the one
 * before it was dealt with; an update that was not read is replaced by the next.
 */
export async function* secretEvents<Request>(
  { identities }: Pick<SdsDeps, 'identities'>,
  requests: AsyncIterable<Request>,
  call: WorkloadCall,
): AsyncGenerator<SecretEvent<Request>> {
  const selectors = await call.attest();
  using subscription = identities.subscribe(selectors);
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, call.signal]);
  const events = new Rendezvous<SecretEvent<Request> | 'end'>();

  const passRequests = async () => {
    for await (const request of requests) {
      if (!(await events.give({ kind: 'request', request }))) return;
    }
    await events.give('end');
  };
  const passUpdates = async () => {
    for (;;) {
      const update = await subscription.next(signal);
      if (!(await events.give({ kind: 'update', update }))) return;
    }
  };
  const fail = (error: unknown) => {
    events.fail(error);
  };
  passRequests().catch(fail);
  passUpdates().catch(fail);

  try {
    for (let event = await events.take(); event !== 'end'; event = await events.take()) yield event;
  } finally {
    events.close();
    over.abort();
  }
}
