import type { SPIFFEID } from '../../wire/gen/spire/api/types/spiffeid_pb.ts';

/** An ID as the server sent it; none prints as nothing. */
export const spiffeIdText = (id: Pick<SPIFFEID, 'trustDomain' | 'path'> | undefined): string =>
  id === undefined ? '' : `spiffe://${id.trustDomain}${id.path}`;
