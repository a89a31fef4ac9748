import { durationText } from '../duration-text.ts';
import type { AgentState, Explanation, MatchingEntry, NearEntry, Verdict } from './explanation.ts';

type Facts = Omit<Explanation, 'verdict' | 'conclusion'>;

/** What follows from what was found, and the sentence that says so. */
export function conclude(
  facts: Facts,
  now: number,
): { readonly verdict: Verdict; readonly conclusion: string } {
  const verdict = verdictOf(facts);
  return { verdict, conclusion: sentences[verdict](facts, now) };
}

function verdictOf({ attestors, matching, agent }: Facts): Verdict {
  if (attestors.every(({ failure }) => failure !== undefined)) return 'attestation-failed';
  if (attestors.every(({ selectors }) => selectors.length === 0)) return 'no-selectors';
  if (agent.entryCount === 0) return 'no-entries';
  if (matching.length === 0) return 'no-entry-matches';
  if (matching.every(({ service }) => service.kind === 'stored')) return 'stored-only';
  if (!matching.some(isServed)) return 'no-svid';
  return 'has-identity';
}

const isServed = ({ service }: MatchingEntry): boolean => service.kind === 'served';

const sentences: Record<Verdict, (facts: Facts, now: number) => string> = {
  'has-identity': ({ matching }) => {
    const served = matching.filter(isServed).map(({ spiffeId }) => spiffeId);
    return `it is served ${served.length === 1 ? '' : `${served.length} identities: `}${served.join(', ')}`;
  },
  'attestation-failed': ({ attestors }) =>
    `no attestor could look at it: ${attestors.map(({ name, failure }) => `${name}: ${failure ?? ''}`).join('; ')}`,
  'no-selectors': () => 'the attestors found nothing about it',
  'no-entries': ({ agent }, now) =>
    `the server lets this agent serve no entry at all${staleness(agent, now)}`,
  'no-entry-matches': ({ attestors, near, agent }, now) => {
    const failed = attestors.filter(({ failure }) => failure !== undefined);
    return (
      `none of the ${agent.entryCount} entries that this agent serves matches its selectors` +
      nearest(near[0]) +
      (failed.length > 0
        ? `; not looked at by ${failed.map(({ name }) => name).join(', ')}, which failed`
        : '') +
      staleness(agent, now)
    );
  },
  'stored-only': () =>
    'its entries are marked for stores of SVIDs (store_svid), and are not served to processes',
  'no-svid': ({ matching, agent }, now) =>
    (matching.some(({ service }) => service.kind === 'expired')
      ? 'an entry matches, but its X509-SVID has expired and no new one was signed'
      : 'an entry matches, and its X509-SVID is signed when it is asked for') +
    staleness(agent, now),
};

function nearest(near: NearEntry | undefined): string {
  if (near === undefined) return '';
  const [first, ...others] = near.lacks;
  if (first === undefined) return '';
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  return `; ${near.spiffeId} (entry ${near.entryId}) lacks ${first.selector}${more}`;
}

/** What the agent knows may be old; then that may be the reason. */
function staleness({ lastSyncFailure, lastSyncSuccess }: AgentState, now: number): string {
  if (lastSyncFailure === undefined) return '';
  const age =
    lastSyncSuccess === undefined
      ? 'it never synchronized'
      : `what it knows is ${durationText(now - lastSyncSuccess)} old`;
  return `; ${age}, since synchronizing fails: ${lastSyncFailure}`;
}
