import type { Agent } from '../../../wire/gen/spire/api/types/agent_pb.ts';
import type { LocalTime } from '../../kit/local-time.ts';
import { spiffeIdText } from '../../kit/spiffe-id-text.ts';

/** One agent as `agent list` and `agent show` print it, with the empty line that ends it. */
export function agentBlock(agent: Agent, localTime: LocalTime): string {
  const lines: readonly (readonly [label: string, value: string])[] = [
    ['SPIFFE ID', spiffeIdText(agent.id)],
    ['Attestation type', agent.attestationType],
    ['Expiration time', localTime(agent.x509svidExpiresAt)],
    agent.banned ? ['Banned', 'true'] : ['Serial number', agent.x509svidSerialNumber],
    ['Can re-attest', String(agent.canReattest)],
    ...(agent.agentVersion === '' ? [] : [['Agent version', agent.agentVersion] as const]),
  ];
  return `${lines.map(([label, value]) => agentLine(label, value)).join('')}\n`;
}

export const agentLine = (label: string, value: string): string =>
  `${label.padEnd(LABEL_WIDTH)}: ${value}\n`;

const LABEL_WIDTH = 18;

export const agentCount = (count: number): string =>
  `${count} attested agent${count === 1 ? '' : 's'}`;
