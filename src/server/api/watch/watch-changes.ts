import { type Encoded, encoded } from '../../../rpc/service.ts';
import { type Call, callingAgent } from '../call.ts';
import type { ChangeWatch } from './change-watch.ts';

export type WatchChangesDeps = { readonly changes: Pick<ChangeWatch, 'watch'> };

/** Says nothing but that there is something new. */
const NEWS = encoded(new Uint8Array());

/**
 * A message whenever something of the calling agent's may have changed, the first as soon as it is watched for. Ends by
 * itself now and then; the agent asks again.
 */
export async function* watchChanges(
  { changes }: WatchChangesDeps,
  call: Pick<Call, 'caller' | 'signal'>,
): AsyncGenerator<Encoded, void, undefined> {
  using watching = changes.watch(callingAgent(call));
  while (await watching.next(call.signal)) yield NEWS;
}
