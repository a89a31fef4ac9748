import { Fault } from '../../base/fault.ts';
import type { SetMatch } from '../registry/contract.ts';

/** SelectorMatch and FederatesWithMatch number their behaviours alike. */
const behaviors: readonly { readonly name: string; readonly match: SetMatch }[] = [
  { name: 'MATCH_EXACT', match: 'exact' },
  { name: 'MATCH_SUBSET', match: 'subset' },
  { name: 'MATCH_SUPERSET', match: 'superset' },
  { name: 'MATCH_ANY', match: 'any' },
];

/** Throws 'internal' with that message for a number that is not on the wire (yet). */
export function setMatchFromProto(behavior: number, message: string): SetMatch {
  const row = behaviors[behavior];
  if (row === undefined) throw new Fault('internal', message);
  return row.match;
}

/** As it stands in the audit log. */
export const setMatchName = (behavior: number): string =>
  behaviors[behavior]?.name ?? String(behavior);
