import { reasonOf } from '../../../base/fault.ts';
import type { Client } from '../../../rpc/dial.ts';
import { Agent } from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { SPIFFEID } from '../../../wire/gen/spire/api/types/spiffeid_pb.ts';
import { flag } from '../../kit/flag.ts';
import { prefixed } from '../../kit/prefixed.ts';
import { serverCommand } from '../../kit/server-command.ts';
import { spiffeIdText } from '../../kit/spiffe-id-text.ts';
import { agentLine } from './agent-block.ts';

const THIRTY_DAYS = 30n * 24n * 3_600_000_000_000n;

type Purged = { readonly agent_id: string; readonly deleted: boolean; readonly error?: string };

export const agentPurge = serverCommand({
  name: 'agent purge',
  flags: {
    expiredFor: flag.duration('Purge agents whose SVID expired longer ago than this', THIRTY_DAYS),
    dryRun: flag.bool('Only list the agents that would be purged'),
  },
  services: { agent: Agent },
  async run({ expiredFor, dryRun }, { api, out, clock }) {
    const expired = await expiredAgents(api.agent, BigInt(clock.now()) * 1_000_000n - expiredFor);
    const purged: Purged[] = [];
    for (const id of expired) {
      purged.push(
        dryRun ? { agent_id: spiffeIdText(id), deleted: false } : await purge(api.agent, id),
      );
    }
    out.printStruct({ expired_agents: purged }, ({ expired_agents: agents }) => {
      if (agents.length === 0) return 'No agents to purge.\n';
      const head = `Found ${agents.length} expired agent${agents.length === 1 ? '' : 's'}\n\n`;
      return `${head}${dryRun ? dryRunText(agents) : purgedText(agents)}`;
    });
  },
});

/** Those that can attest again and whose SVID ended before that moment, in nanoseconds. */
async function expiredAgents(
  agents: Pick<Client<typeof Agent>, 'listAgents'>,
  before: bigint,
): Promise<(SPIFFEID | undefined)[]> {
  const list = await agents
    .listAgents({ filter: { byCanReattest: true }, outputMask: { x509svidExpiresAt: true } })
    .catch(prefixed('failed to list agents'));
  return list.agents
    .filter(({ x509svidExpiresAt }) => x509svidExpiresAt * 1_000_000_000n < before)
    .map(({ id }) => id);
}

/** A failure is part of the answer, so that the others still get their turn. */
async function purge(
  agents: Pick<Client<typeof Agent>, 'deleteAgent'>,
  id: SPIFFEID | undefined,
): Promise<Purged> {
  const agentId = spiffeIdText(id);
  try {
    await agents.deleteAgent({ id });
    return { agent_id: agentId, deleted: true };
  } catch (error) {
    return { agent_id: agentId, deleted: false, error: reasonOf(error) };
  }
}

const idLine = ({ agent_id: id }: Purged): string => agentLine('SPIFFE ID', id);

const dryRunText = (agents: readonly Purged[]): string =>
  `\nAgents that can be purged:\n${agents.map(idLine).join('')}`;

function purgedText(agents: readonly Purged[]): string {
  const deleted = agents.filter((agent) => agent.deleted);
  const kept = agents.filter((agent) => !agent.deleted);
  const section = (head: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `${head}\n${lines.join('')}`;
  return (
    section('Agents purged:', deleted.map(idLine)) +
    section(
      'Agents not purged:',
      kept.map((agent) => `${idLine(agent)}${agentLine('Error', agent.error ?? '')}`),
    )
  );
}
