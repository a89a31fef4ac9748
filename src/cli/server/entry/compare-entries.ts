import type { Entry } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import type { Selector } from '../../../wire/gen/spire/api/types/selector_pb.ts';
import type { SPIFFEID } from '../../../wire/gen/spire/api/types/spiffeid_pb.ts';
import { compareBytewise } from '../../kit/compare-bytewise.ts';

/** By type, then value. */
export const compareSelectors = (a: Selector, b: Selector): number =>
  compareBytewise(a.type, b.type) || compareBytewise(a.value, b.value);

/** The order in which `entry show` prints entries whose selectors are in order (`reference/cli.md` §4.8.5). */
export const compareEntries = (a: Entry, b: Entry): number =>
  compareIds(a.spiffeId, b.spiffeId) ||
  compareIds(a.parentId, b.parentId) ||
  a.x509SvidTtl - b.x509SvidTtl ||
  a.jwtSvidTtl - b.jwtSvidTtl ||
  a.selectors.length - b.selectors.length ||
  compareLists(a.selectors, b.selectors);

const compareIds = (a: SPIFFEID | undefined, b: SPIFFEID | undefined): number =>
  compareBytewise(a?.trustDomain ?? '', b?.trustDomain ?? '') ||
  compareBytewise(a?.path ?? '', b?.path ?? '');

function compareLists(a: readonly Selector[], b: readonly Selector[]): number {
  for (const [index, selector] of a.entries()) {
    const other = b[index];
    const order = other === undefined ? 1 : compareSelectors(selector, other);
    if (order !== 0) return order;
  }
  return 0;
}
