import type { CurrentSvid } from './attest/current-svid.ts';
import type { AgentStatus } from './status.ts';
import type { SyncParts } from './sync/assemble-sync.ts';

type StatusParts = Pick<
  SyncParts,
  'cache' | 'storeCache' | 'entries' | 'jwtSvids' | 'synchronizer'
> & {
  readonly current: CurrentSvid;
};

/** What an operator may be told, of the parts as they are when one asks. */
export const statusOf = (parts: StatusParts): AgentStatus => ({
  get svidChain() {
    return parts.current.value.chain;
  },
  get x509SvidCount() {
    return parts.cache.svidCount;
  },
  get jwtSvidCount() {
    return parts.jwtSvids.count;
  },
  get storeSvidCount() {
    return parts.storeCache.svidCount;
  },
  get entries() {
    return parts.entries.all;
  },
  svidOf: (entryId) => parts.cache.svidOf(entryId),
  get lastSyncSuccess() {
    return parts.synchronizer.lastSuccess;
  },
  get lastSync() {
    return parts.synchronizer.lastOutcome;
  },
});
