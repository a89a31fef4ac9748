import type { Entry } from '../../../spiffe/entry.ts';
import { compareSelectors } from '../../../spiffe/selector.ts';

/**
 * SPIRE answers a creation and an update with the lists sorted; whoever reads the entry later gets them as they were
 * given.
 */
export const sortedAsAnswered = (entry: Entry): Entry => ({
  ...entry,
  selectors: entry.selectors.toSorted(compareSelectors),
  dnsNames: entry.dnsNames.toSorted(),
});
