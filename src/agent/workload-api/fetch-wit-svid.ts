import { create, toBinary } from '@bufbuild/protobuf';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, reasonOf } from '../../base/fault.ts';
import { type Encoded, encoded } from '../../rpc/service.ts';
import {
  type WITSVIDRequest,
  WITSVIDResponseSchema,
} from '../../wire/gen/spiffe/workload/workload_pb.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { Subscription } from '../cache/subscriber.ts';
import type { WitSvid } from '../identities.ts';
import type { WorkloadCall } from './call.ts';
import { callerSelectors } from './caller-selectors.ts';
import type { WorkloadApiDeps } from './deps.ts';
import { noIdentity } from './no-identity.ts';
import { requestedEntries, requestedId } from './requested-entries.ts';

/** Between looks at tokens that are due, while the server does not renew them. */
const LOOK_AGAIN_SECONDS = 5;

/** One token with its key for each identity, and again when one is renewed or the identities change. */
export async function* fetchWitSvid(
  deps: WorkloadApiDeps,
  { spiffeId }: Pick<WITSVIDRequest, 'spiffeId'>,
  call: WorkloadCall,
): AsyncGenerator<Encoded> {
  const wanted = requestedId(spiffeId, call);
  const selectors = await callerSelectors(deps, call);
  using subscription = deps.identities.subscribe(selectors);
  let sent: Uint8Array | undefined;
  for (;;) {
    const entries = requestedEntries(deps, selectors, wanted, call);
    if (entries.length === 0) throw noIdentity(deps, call, selectors);
    const svids = await Promise.all(entries.map((entry) => fetchOne(deps, entry, call)));
    const bytes = encode(entries, svids);
    if (sent === undefined || Buffer.compare(sent, bytes) !== 0) {
      sent = bytes;
      yield encoded(bytes);
    }
    await newsOr(subscription, secondsUntilDue(svids, deps.clock), deps.clock, call.signal);
  }
}

async function fetchOne(
  { identities, clock }: WorkloadApiDeps,
  entry: AuthorizedEntry,
  { log, signal }: WorkloadCall,
): Promise<WitSvid> {
  const fields = { spiffe_id: entry.spiffeId.toString() };
  try {
    const svid = await identities.fetchWitSvid(entry, signal);
    log.debug('Fetched WIT SVID', { ...fields, ttl: svid.expiresAt - unixSeconds(clock) });
    return svid;
  } catch (error) {
    if (signal.aborted) throw error;
    log.error('Could not fetch WIT-SVID', { ...fields, error: error as Error });
    throw new Fault('unavailable', `could not fetch WIT-SVID: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

const encode = (entries: readonly AuthorizedEntry[], svids: readonly WitSvid[]): Uint8Array =>
  toBinary(
    WITSVIDResponseSchema,
    create(WITSVIDResponseSchema, {
      svids: svids.map(({ token, key }, index) => ({
        spiffeId: entries[index]?.spiffeId.toString() ?? '',
        witSvid: token,
        witSvidKey: key,
        hint: entries[index]?.hint ?? '',
      })),
    }),
  );

/** Until the first of them has lived half its life, when it is renewed. */
function secondsUntilDue(svids: readonly WitSvid[], clock: Pick<Clock, 'now'>): number {
  const due = svids.map(({ issuedAt, expiresAt }) => issuedAt + (expiresAt - issuedAt) / 2);
  return Math.max(LOOK_AGAIN_SECONDS, Math.min(...due) - unixSeconds(clock));
}

/** Resolves with the next news, or when the time is up. Rejects with the signal's reason when it aborts first. */
async function newsOr(
  subscription: Subscription,
  seconds: number,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): Promise<void> {
  const due = new AbortController();
  const over = new AbortController();
  const timer = clock.sleep(seconds * 1000, over.signal).then(
    () => {
      due.abort();
    },
    () => undefined, // there was news
  );
  try {
    await subscription.next(AbortSignal.any([signal, due.signal]));
  } catch (error) {
    if (signal.aborted || !due.signal.aborted) throw error;
  } finally {
    over.abort();
    await timer;
  }
}
