import { implement } from '../../../rpc/service.ts';
import { Watch } from '../../../wire/gen/steeple/server/watch/v1/watch_pb.ts';
import type { Call } from '../call.ts';
import { type WatchChangesDeps, watchChanges } from './watch-changes.ts';

/** A service that SPIRE's server does not have: agents need not wait for their next poll (`docs/agent.md`). */
export const watchService = (deps: WatchChangesDeps) =>
  implement<typeof Watch, Call>(Watch, {
    watchChanges: (_request, call) => watchChanges(deps, call),
  });
