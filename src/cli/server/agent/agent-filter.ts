import { Fault } from '../../../base/fault.ts';
import { parseSelector, type Selector } from '../../../spiffe/selector.ts';
import { type FlagValues, flag } from '../../kit/flag.ts';
import { matchBehavior } from '../../kit/match-behavior.ts';
import { within } from '../../kit/prefixed.ts';
import { checkZonedDate } from '../../kit/read-zoned-date.ts';

/** The flags by which `agent list` and `agent count` choose. */
export const agentFilterFlags = {
  selector: flag.strings('Selector that an agent must have, as type:value; may be given again'),
  matchSelectorsOn: flag.string(
    'How selectors are compared: exact, any, superset or subset',
    'superset',
  ),
  attestationType: flag.string('Node attestor that agents came in by, such as join_token'),
  canReattest: flag.triState('Only agents that can (true) or cannot (false) attest again'),
  banned: flag.triState('Only agents that are (true) or are not (false) banned'),
  expiresBefore: flag.string(
    'Only agents whose SVID expires before this, such as "2026-03-01 10:00:00 +0000 +00"',
  ),
};

/** The filter of both requests. Throws 'invalid'. */
export function agentFilter(flags: FlagValues<typeof agentFilterFlags>) {
  return {
    ...(flags.selector.length > 0 && {
      bySelectorMatch: {
        match: behavior(flags.matchSelectorsOn),
        selectors: flags.selector.map(parsedSelector),
      },
    }),
    byAttestationType: flags.attestationType,
    byCanReattest: flags.canReattest,
    byBanned: flags.banned,
    byExpiresBefore: checkedDate(flags.expiresBefore),
  };
}

function behavior(word: string) {
  const match = matchBehavior(word);
  if (match === undefined) throw new Fault('invalid', 'unsupported match behavior');
  return match;
}

const parsedSelector = (text: string): Selector =>
  within(`error parsing selector "${text}"`, () => parseSelector(text));

/** The server reads the text itself. */
function checkedDate(text: string): string {
  if (text !== '') within('date is not valid', () => checkZonedDate(text));
  return text;
}
