import { Fault } from '../../base/fault.ts';
import type { Updates, UpstreamAuthority } from './contract.ts';

/** How an authority answers that signs CAs and knows nothing of the trust domain (`reference/authorities-and-publishers.md` §A1). */
export const signsOnly: Pick<UpstreamAuthority, 'publishJwtKey' | 'subscribeToLocalBundle'> = {
  async publishJwtKey() {
    throw new Fault('unimplemented', 'publishing upstream is unsupported');
  },
  async subscribeToLocalBundle() {
    throw new Fault('unimplemented', 'fetching upstream trust bundle is unsupported');
  },
};

/** What follows the first answer of an authority whose one answer is all. */
export const noUpdates: Updates<never> = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};
