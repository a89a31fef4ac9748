import { Fault } from '../../../base/fault.ts';
import { parseSelector } from '../../../spiffe/selector.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { spiffeIdToProto } from '../../../wire/spiffe-id.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { matchBehavior } from '../../kit/match-behavior.ts';
import { within } from '../../kit/prefixed.ts';

/** The flags by which `entry show` and `entry count` choose. */
export const entryFilterFlags = {
  parentID: flag.string('Only entries with this parent'),
  spiffeID: flag.string('Only entries for this SPIFFE ID'),
  selector: flag.strings('Selector that an entry must have, as type:value; may be given again'),
  matchSelectorsOn: flag.string(
    'How selectors are compared: exact, any, superset or subset',
    'superset',
  ),
  federatesWith: flag.strings('Trust domain that an entry federates with; may be given again'),
  matchFederatesWithOn: flag.string(
    'How trust domains are compared: exact, any, superset or subset',
    'superset',
  ),
  downstream: flag.bool('Only entries of downstream servers'),
  hint: flag.string('Only entries with this hint'),
};

/** The filter of both requests. Throws 'invalid'. */
export const entryFilter = (flags: FlagValues<typeof entryFilterFlags>) => ({
  ...(flags.parentID !== '' && { byParentId: parsedId('parent ID', flags.parentID) }),
  ...(flags.spiffeID !== '' && { bySpiffeId: parsedId('SPIFFE ID', flags.spiffeID) }),
  ...(flags.selector.length > 0 && {
    bySelectors: {
      match: behavior(flags.matchSelectorsOn),
      selectors: parsedSelectors(flags.selector),
    },
  }),
  ...(flags.federatesWith.length > 0 && {
    byFederatesWith: {
      match: behavior(flags.matchFederatesWithOn),
      trustDomains: [...flags.federatesWith],
    },
  }),
  ...(flags.hint !== '' && { byHint: flags.hint }),
  byDownstream: flags.downstream,
});

const parsedId = (what: string, text: string) =>
  within(`error parsing ${what} "${text}"`, () => spiffeIdToProto(SpiffeId.parse(text)));

function behavior(word: string) {
  const match = matchBehavior(word);
  if (match === undefined) throw new Fault('invalid', `match behavior "${word}" unknown`);
  return match;
}

const parsedSelectors = (texts: readonly string[]) =>
  within('error parsing selectors', () => texts.map(parseSelector));
