/** The keys of `experimental.ratelimit`, in the order in which they are checked. */
export const rateLimitKeys = [
  'fetch_x509_svid',
  'fetch_jwt_svid',
  'fetch_x509_bundles',
  'fetch_jwt_bundles',
  'stream_secrets',
  'fetch_secrets',
] as const;

/** Calls a second for each set of selectors; 0: no limit. */
export type RateLimitSettings = Readonly<Record<(typeof rateLimitKeys)[number], number>>;
