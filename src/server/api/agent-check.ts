import type { Clock } from '../../base/clock.ts';
import { type DenialReason, Fault, wrapFault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { type Agent, isBanned } from '../../spiffe/agent.ts';
import type { AgentRegistry } from '../registry/contract.ts';
import type { SvidIdentity } from './caller.ts';

export type AgentCheckDeps = {
  readonly agents: Pick<AgentRegistry, 'get' | 'confirm' | 'activate'>;
  readonly clock: Pick<Clock, 'now'>;
};

/**
 * Whether that SVID is one an agent may use now (`reference/server.md` §5.4): the current one, or the renewed one,
 * which by its first use becomes the current one. Memory may say yes, but only the datastore says no: an agent that
 * is turned away deletes its SVID or exits. Throws 'denied' with the reason, 'internal' where it cannot be found out.
 */
export async function checkAgent(
  { agents, clock }: AgentCheckDeps,
  { id, leaf }: SvidIdentity,
  log: Log,
): Promise<Agent> {
  if (clock.now() > leaf.notAfter * 1000) throw denied('expired', 'Agent SVID is expired', log);

  const serialNumber = leaf.serialNumber.toString();
  const known = agents.get(id);
  const agent =
    known !== undefined && mayUse(known, serialNumber) ? known : await confirmed(agents, id);
  if (agent === undefined) throw denied('not-attested', 'Agent is not attested', log);
  if (isBanned(agent)) throw denied('banned', 'Agent is banned', log);
  if (agent.serialNumber === serialNumber) return agent;

  const notActive = () =>
    denied(
      'not-active',
      'Agent SVID is not active',
      log.child({ svid_serial_num: serialNumber, serial_num: agent.serialNumber }),
    );
  if (agent.newSerialNumber !== serialNumber) throw notActive();
  const active = await activated(agents, agent, log);
  // Another renewal may have come between.
  if (active.serialNumber !== serialNumber) throw notActive();
  return active;
}

const mayUse = (agent: Agent, serialNumber: string): boolean =>
  agent.serialNumber === serialNumber || agent.newSerialNumber === serialNumber;

const confirmed = (agents: AgentCheckDeps['agents'], id: Agent['id']) =>
  agents.confirm(id).catch((error: unknown) => {
    throw wrapFault('unable to look up agent information', error, 'internal');
  });

const activated = (agents: AgentCheckDeps['agents'], agent: Agent, log: Log) =>
  agents.activate(agent.id, agent.newSerialNumber).catch((error: unknown) => {
    log.warn('Unable to activate the new agent SVID', {
      serial_num: agent.serialNumber,
      new_serial_num: agent.newSerialNumber,
    });
    throw wrapFault('unable to activate the new agent SVID', error, 'internal');
  });

function denied(denial: DenialReason, message: string, log: Log): Fault {
  log.error(message);
  return new Fault('denied', message, { denial });
}
