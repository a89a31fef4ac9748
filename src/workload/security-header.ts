/** What tells a caller of the Workload API from a request that was forwarded (Workload Endpoint §4.2, E-3). */
export const SECURITY_HEADER = { 'workload.spiffe.io': 'true' } as const;
