import type { AuthorizedEntry } from '../../src/agent/authorized-entry.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';

const trustDomain = TrustDomain.parse('cache.test');

/** An entry as an agent has it, of `cache.test`. */
export const authorizedEntry = (
  id: string,
  selectors: readonly string[],
  more: Partial<AuthorizedEntry> = {},
): AuthorizedEntry => ({
  id,
  spiffeId: SpiffeId.of(trustDomain, `/${/^\w+$/.test(id) ? id : 'x'}`),
  selectors: selectors.map(parseSelector),
  federatesWith: [],
  admin: false,
  downstream: false,
  revisionNumber: 1,
  storeSvid: false,
  hint: '',
  createdAt: 0,
  disableX509SvidPrefetch: false,
  ...more,
});
