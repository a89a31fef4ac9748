import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { CountEntriesRequest } from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import type { Call } from '../call.ts';
import { entryFilterFromProto } from './entry-filter.ts';

export type CountEntriesDeps = {
  readonly entries: Pick<EntryRegistry, 'select'>;
  readonly trustDomain: TrustDomain;
};

export async function countEntries(
  { entries, trustDomain }: CountEntriesDeps,
  { filter }: Pick<CountEntriesRequest, 'filter'>,
  call: Pick<Call, 'audit'>,
): Promise<{ count: number }> {
  const matching = entryFilterFromProto(filter, trustDomain, 'failed to count entries', call);
  return { count: entries.select(matching).length };
}
