import { formatGoDuration } from '../../base/duration.ts';
import {
  type AttestorFinding,
  type ExplainProcessResponse,
  type MatchingEntry,
  type NearEntry,
  MatchingEntry_Service as Service,
  Verdict,
} from '../../wire/gen/steeple/agent/explain/v1/explain_pb.ts';
import { rfc3339Text } from '../kit/go-time.ts';

/** What an agent found of a process, to be read from the top: the conclusion, then what it rests on. */
export function explanationText(found: ExplainProcessResponse, now: number): string {
  const parts = [
    `Process ${found.pid} ${headline(found)}\n  ${sentence(found.conclusion)}\n`,
    section('What the attestors found', found.attestors.map(attestorText)),
    section('Entries that match', found.matching.map(matchingText)),
    section(
      nearTitle(found),
      found.near.map((near) => nearText(near, found.attestors)),
    ),
    section('What the agent knows', [agentText(found, now)]),
    found.verdict === Verdict.HAS_IDENTITY ? '' : OTHER_AGENTS,
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const OTHER_AGENTS =
  'The server tells an agent only of entries below that agent. One that should match and is not shown here has another\n' +
  'parent: look for it by "spire-server entry show -spiffeID ID", and compare its parent ID with the agent’s ID above. Where\n' +
  'the parent is an alias of nodes (entry create -node), the agent must have the selectors of that entry: those which\n' +
  '"spire-server agent show -spiffeID ID" prints.\n';

const headline = ({ verdict }: ExplainProcessResponse): string =>
  verdict === Verdict.HAS_IDENTITY ? 'has an identity.' : 'has no identity.';

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

const section = (title: string, blocks: readonly string[]): string =>
  `${title}\n${blocks.length === 0 ? '  none\n' : blocks.join('')}`;

function attestorText({ name, selectors, failure, durationMicroseconds }: AttestorFinding): string {
  const time = formatGoDuration(durationMicroseconds * 1000n);
  if (failure !== '') return `  ${name} failed after ${time}: ${failure}\n`;
  const lines = selectors.map((selector) => `    ${selector}\n`);
  return `  ${name}, in ${time}\n${lines.join('') || '    nothing\n'}`;
}

function matchingText(entry: MatchingEntry): string {
  const hint = entry.hint === '' ? '' : `, hint ${entry.hint}`;
  return (
    `  ${entry.spiffeId} (entry ${entry.entryId}${hint})\n` +
    `    ${serviceText(entry)}\n` +
    entry.selectors.map((selector) => `    needs ${selector}\n`).join('')
  );
}

function serviceText({ service, svidExpiresAt, hiddenBy }: MatchingEntry): string {
  switch (service) {
    case Service.SERVED:
      return `served: its X509-SVID is valid until ${rfc3339Text(svidExpiresAt)}`;
    case Service.NOT_SIGNED_YET:
      return 'not signed yet: the agent asks the server for its X509-SVID when the process asks for one';
    case Service.EXPIRED:
      return `its X509-SVID expired at ${rfc3339Text(svidExpiresAt)}, and there is no newer one`;
    case Service.HIDDEN:
      return `hidden: entry ${hiddenBy} has the same hint, and is older`;
    case Service.STORED:
      return 'kept for stores of SVIDs (store_svid): never served to a process';
    case Service.UNSPECIFIED:
    default:
      return `this command does not know what the agent says of it (${service})`;
  }
}

const nearTitle = ({ near, nearCount }: ExplainProcessResponse): string =>
  nearCount > near.length
    ? `Entries that nearly match (the nearest ${near.length} of ${nearCount})`
    : 'Entries that nearly match';

function nearText(
  { spiffeId, entryId, has, lacks }: NearEntry,
  attestors: readonly AttestorFinding[],
): string {
  const lines = lacks.map(({ selector, found }) => {
    const instead = found.length === 0 ? absence(selector, attestors) : `has ${found.join(', ')}`;
    return `    lacks ${selector} (the process ${instead})\n`;
  });
  return (
    `  ${spiffeId} (entry ${entryId})\n` +
    lines.join('') +
    has.map((selector) => `    has   ${selector}\n`).join('')
  );
}

/** Settings of attestors without which they do not look for selectors of a kind. */
const lookedForWith: Readonly<Record<string, string>> = {
  'unix:path': 'discover_workload_path',
  'unix:sha256': 'discover_workload_path',
};

/** Why there is nothing of a selector's kind. A selector's type is the name of the attestor that finds it. */
function absence(selector: string, attestors: readonly AttestorFinding[]): string {
  const [type = '', key = ''] = selector.split(':');
  const attestor = attestors.find(({ name }) => name === type);
  if (attestor === undefined) return `is looked at by no attestor "${type}": none is configured`;
  if (attestor.failure !== '') return `could not be looked at by ${type}`;
  const setting = lookedForWith[`${type}:${key}`];
  const unless = setting === undefined ? '' : `, or ${setting} is not set`;
  return `has no ${type}:${key}${unless}`;
}

function agentText({ agent }: ExplainProcessResponse, now: number): string {
  if (agent === undefined) return '  nothing\n';
  const { spiffeId, svidExpiresAt, entryCount, lastSync, lastSyncSuccess, lastSyncFailure } = agent;
  const known = `${entryCount} ${entryCount === 1 ? 'entry' : 'entries'}`;
  const success =
    lastSyncSuccess === 0n ? 'never yet synchronized' : `synchronized ${ago(lastSyncSuccess, now)}`;
  return (
    `  It is ${spiffeId}, until ${rfc3339Text(svidExpiresAt)}.\n` +
    `  It serves ${known}, ${success}.\n` +
    (lastSyncFailure === ''
      ? ''
      : `  The last attempt, ${ago(lastSync, now)}, failed: ${lastSyncFailure}\n`)
  );
}

const ago = (unixSeconds: bigint, now: number): string => {
  const seconds = BigInt(Math.max(0, Math.floor(now / 1000))) - unixSeconds;
  return `${formatGoDuration((seconds > 0n ? seconds : 0n) * 1_000_000_000n)} ago`;
};
