import { SelectorMatch_MatchBehavior as Match } from '../../wire/gen/spire/api/types/selector_pb.ts';

const BEHAVIORS: Readonly<Record<string, Match | undefined>> = {
  exact: Match.MATCH_EXACT,
  any: Match.MATCH_ANY,
  superset: Match.MATCH_SUPERSET,
  subset: Match.MATCH_SUBSET,
};

/** How the sets of a filter are compared; undefined for a word that means nothing. */
export const matchBehavior = (word: string): Match | undefined =>
  Object.hasOwn(BEHAVIORS, word) ? BEHAVIORS[word] : undefined;
