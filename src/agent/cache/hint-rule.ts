import type { Log } from '../../ops/log.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';

type Hinted = { readonly entry: Pick<AuthorizedEntry, 'id' | 'hint' | 'createdAt'> };

/**
 * Of the identities that share a hint, the oldest stays, then the lowest entry ID (`reference/agent.md` §3.8). Those
 * without a hint all stay. The order stays as it was.
 */
export function withoutDuplicateHints<T extends Hinted>(
  identities: readonly T[],
  log: Log,
): readonly T[] {
  const first = new Map<string, T>();
  for (const identity of identities) {
    const { hint } = identity.entry;
    const other = first.get(hint);
    if (hint !== '' && (other === undefined || goesBefore(identity, other)))
      first.set(hint, identity);
  }
  return identities.filter((identity) => {
    const { hint, id } = identity.entry;
    const stays = hint === '' || first.get(hint) === identity;
    if (!stays) log.warn('Ignoring entry with duplicate hint', { hint, entry_id: id });
    return stays;
  });
}

function goesBefore({ entry: a }: Hinted, { entry: b }: Hinted): boolean {
  return a.createdAt === b.createdAt ? a.id < b.id : a.createdAt < b.createdAt;
}
