import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAgent } from '../../../test/kit/api-call.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import type { Agent } from '../../spiffe/agent.ts';
import { type AgentCheckDeps, checkAgent } from './agent-check.ts';
import type { SvidIdentity } from './caller.ts';

const clock = new VirtualClock();
const inAnHour = clock.now() / 1000 + 3600;

const svid = (serialNumber: bigint, notAfter = inAnHour): SvidIdentity => ({
  kind: 'svid',
  source: { address: '192.0.2.1', port: 4711 },
  id: plainAgent.id,
  leaf: { serialNumber, notAfter },
});

/** A registry that remembers one agent and a datastore that may know better; counts what is asked of the latter. */
function agentsWith(remembered: Agent | undefined, stored = remembered) {
  const asked: string[] = [];
  const agents: AgentCheckDeps['agents'] = {
    get: () => remembered,
    async confirm() {
      asked.push('confirm');
      return stored;
    },
    async activate(_id, newSerialNumber) {
      asked.push(`activate ${newSerialNumber}`);
      assert.ok(stored);
      if (stored.newSerialNumber !== newSerialNumber) return stored;
      return { ...stored, serialNumber: newSerialNumber, newSerialNumber: '' };
    },
  };
  return { agents, asked };
}

const renewed: Agent = { ...plainAgent, newSerialNumber: '1002' };
const banned: Agent = { ...plainAgent, serialNumber: '' };

test('lets the current SVID through without asking the datastore', async () => {
  const { agents, asked } = agentsWith(plainAgent);
  assert.equal(await checkAgent({ agents, clock }, svid(1001n), silentLog), plainAgent);
  assert.deepEqual(asked, []);
});

test('the first use of a renewed SVID makes it the current one', async () => {
  const { agents, asked } = agentsWith(renewed);
  const agent = await checkAgent({ agents, clock }, svid(1002n), silentLog);
  assert.equal(agent.serialNumber, '1002');
  assert.deepEqual(asked, ['activate 1002']);
});

test('the old SVID stays good until then', async () => {
  const { agents, asked } = agentsWith(renewed);
  assert.equal(await checkAgent({ agents, clock }, svid(1001n), silentLog), renewed);
  assert.deepEqual(asked, []);
});

const confirmations: [what: string, remembered: Agent | undefined, stored: Agent][] = [
  ['is not remembered yet', undefined, plainAgent],
  ['is remembered as banned', banned, plainAgent],
  ['is remembered with another SVID', { ...plainAgent, serialNumber: '999' }, plainAgent],
];
for (const [what, remembered, stored] of confirmations) {
  test(`asks the datastore before an agent that ${what} is turned away`, async () => {
    const { agents, asked } = agentsWith(remembered, stored);
    assert.equal(await checkAgent({ agents, clock }, svid(1001n), silentLog), stored);
    assert.deepEqual(asked, ['confirm']);
  });
}

const refusals: [
  why: string,
  agent: Agent | undefined,
  identity: SvidIdentity,
  denial: string,
  logged: string,
][] = [
  [
    'that expired',
    plainAgent,
    svid(1001n, clock.now() / 1000 - 1),
    'expired',
    'Agent SVID is expired',
  ],
  ['of nobody that attested', undefined, svid(1001n), 'not-attested', 'Agent is not attested'],
  ['of a banned agent', banned, svid(1001n), 'banned', 'Agent is banned'],
  ['that was replaced', plainAgent, svid(1000n), 'not-active', 'Agent SVID is not active'],
  [
    'whose number is 0 where there is none',
    { ...plainAgent, serialNumber: '' },
    svid(0n),
    'banned',
    'Agent is banned',
  ],
];
for (const [why, agent, identity, denial, logged] of refusals) {
  test(`refuses an SVID ${why}`, async () => {
    const lines: LogLine[] = [];
    const { agents } = agentsWith(agent);
    await assert.rejects(checkAgent({ agents, clock }, identity, recordingLog(lines)), {
      kind: 'denied',
      denial,
    });
    assert.equal(lines.at(-1)?.message, logged);
  });
}

test('an SVID is good up to its last second', async () => {
  const { agents } = agentsWith(plainAgent);
  await checkAgent({ agents, clock }, svid(1001n, clock.now() / 1000), silentLog);
});

test('refuses a renewed SVID that another renewal overtook', async () => {
  const { agents } = agentsWith(renewed, { ...renewed, newSerialNumber: '1003' });
  const lines: LogLine[] = [];
  await assert.rejects(checkAgent({ agents, clock }, svid(1002n), recordingLog(lines)), {
    denial: 'not-active',
  });
  assert.deepEqual(lines.at(-1)?.fields, { svid_serial_num: '1002', serial_num: '1001' });
});

test('a datastore that fails refuses nobody for good', async () => {
  const lost = async () => {
    throw new Fault('unknown', 'datastore-sql: database is locked');
  };
  const { agents } = agentsWith(undefined);
  await assert.rejects(
    checkAgent({ agents: { ...agents, confirm: lost }, clock }, svid(1001n), silentLog),
    {
      kind: 'internal',
      message: 'unable to look up agent information: datastore-sql: database is locked',
    },
  );
  await assert.rejects(
    checkAgent(
      { agents: { ...agentsWith(renewed).agents, activate: lost }, clock },
      svid(1002n),
      silentLog,
    ),
    {
      kind: 'internal',
      message: 'unable to activate the new agent SVID: datastore-sql: database is locked',
    },
  );
});
