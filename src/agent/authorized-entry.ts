import type { Entry } from '../spiffe/entry.ts';

/** The agent's copy of an entry: what it asks the server for, and no more (`reference/agent.md` §3.1). */
export type AuthorizedEntry = Pick<
  Entry,
  | 'id'
  | 'spiffeId'
  | 'selectors'
  | 'federatesWith'
  | 'admin'
  | 'downstream'
  | 'revisionNumber'
  | 'storeSvid'
  | 'hint'
  | 'createdAt'
> & { readonly disableX509SvidPrefetch: boolean };
