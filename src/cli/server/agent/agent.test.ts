import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { type Answers, fakeService, runCommand } from '../../../../test/kit/run-command.ts';
import { Fault } from '../../../base/fault.ts';
import {
  Agent,
  type ListAgentsRequest,
} from '../../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { SelectorMatch_MatchBehavior as Match } from '../../../wire/gen/spire/api/types/selector_pb.ts';
import type { Command } from '../../kit/command.ts';
import { agentBan } from './ban.ts';
import { agentCount } from './count.ts';
import { agentEvict } from './evict.ts';
import { agentList } from './list.ts';
import { agentPurge } from './purge.ts';
import { agentShow } from './show.ts';

/** A zone that is not there is UTC, wherever this runs. */
const UTC = { TZ: '/nosuch/zone' };
const NOW = 1_767_225_600n; // 2026-01-01

async function run(command: Command, args: string[], answers: Answers<typeof Agent>) {
  const { code, stdout, stderr } = await runCommand(command, args, {
    services: [fakeService(Agent, answers)],
    variables: UTC,
    clock: new VirtualClock(Number(NOW) * 1000),
  });
  return { code, stdout, stderr };
}
const good = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const bad = (reason: string) => ({ code: 1, stdout: '', stderr: `Error: ${reason}\n` });

const id = (name: string) => ({ trustDomain: 'td', path: `/spire/agent/x/${name}` });
const one = {
  id: id('one'),
  attestationType: 'x509pop',
  x509svidSerialNumber: '123',
  x509svidExpiresAt: 1_772_359_200n,
  selectors: [
    { type: 'x509pop', value: 'subject:cn:host' },
    { type: 'a', value: 'b:c' },
  ],
  canReattest: true,
  agentVersion: '1.16.0',
};
const two = {
  id: id('two'),
  attestationType: 'join_token',
  x509svidExpiresAt: 1_772_359_200n,
  banned: true,
};
const oneText = `SPIFFE ID         : spiffe://td/spire/agent/x/one
Attestation type  : x509pop
Expiration time   : 2026-03-01 10:00:00 +0000 UTC
Serial number     : 123
Can re-attest     : true
Agent version     : 1.16.0

`;
const twoText = `SPIFFE ID         : spiffe://td/spire/agent/x/two
Attestation type  : join_token
Expiration time   : 2026-03-01 10:00:00 +0000 UTC
Banned            : true
Can re-attest     : false

`;

for (const [command, method, done] of [
  [agentBan, 'banAgent', 'Agent banned successfully\n'],
  [agentEvict, 'deleteAgent', 'Agent evicted successfully\n'],
] as const) {
  test(`${command.name} names the agent and says what was done`, async () => {
    const asked: unknown[] = [];
    const answers = {
      [method]: (request: { id?: { path: string } }) => {
        asked.push(request.id?.path);
        return {};
      },
    };
    const args = ['-spiffeID', 'spiffe://td/spire/agent/x/one'];
    assert.deepEqual(await run(command, args, answers), good(done));
    assert.deepEqual(await run(command, [...args, '-output', 'json'], answers), good('{}\n'));
    assert.deepEqual(asked, ['/spire/agent/x/one', '/spire/agent/x/one']);
  });
}

for (const command of [agentBan, agentEvict, agentShow]) {
  test(`${command.name} refuses a missing or malformed ID, and tells what the server says`, async () => {
    const fail = () => {
      throw new Fault('not-found', 'agent not found');
    };
    const answers = { banAgent: fail, deleteAgent: fail, getAgent: fail };
    assert.deepEqual(await run(command, [], answers), bad('a SPIFFE ID is required'));
    assert.deepEqual(
      await run(command, ['-spiffeID', 'td/x'], answers),
      bad('scheme is missing or invalid'),
    );
    assert.deepEqual(
      await run(command, ['-spiffeID', 'spiffe://td/x'], answers),
      bad('rpc error: code = NotFound desc = agent not found'),
    );
  });
}

test('agent show prints the agent and its selectors', async () => {
  const answers = { getAgent: () => one };
  const args = ['-spiffeID', 'spiffe://td/x'];
  assert.deepEqual(
    await run(agentShow, args, answers),
    good(
      `Found an attested agent given its SPIFFE ID\n\n${oneText}` +
        'Selectors         : x509pop:subject:cn:host\nSelectors         : a:b:c\n',
    ),
  );
  assert.deepEqual(
    await run(agentShow, [...args, '-output', 'json'], answers),
    good(
      '{"agent_version":"1.16.0","attestation_type":"x509pop","banned":false,"can_reattest":true,' +
        '"id":{"path":"/spire/agent/x/one","trust_domain":"td"},' +
        '"selectors":[{"type":"x509pop","value":"subject:cn:host"},{"type":"a","value":"b:c"}],' +
        '"x509svid_expires_at":"1772359200","x509svid_serial_number":"123"}\n',
    ),
  );
});

test('agent list prints all pages as one', async () => {
  const requests: ListAgentsRequest[] = [];
  const answers: Answers<typeof Agent> = {
    listAgents(request) {
      requests.push(request);
      return request.pageToken === ''
        ? { agents: [one], nextPageToken: 'next' }
        : { agents: [two], nextPageToken: '' };
    },
  };
  const expected = good(`Found 2 attested agents:\n\n${oneText}${twoText}`);
  assert.deepEqual(await run(agentList, [], answers), expected);
  assert.deepEqual(
    requests.map(({ pageToken, pageSize, filter }) => [pageToken, pageSize, filter !== undefined]),
    [
      ['', 1000, true],
      ['next', 1000, true],
    ],
  );
  const json = await run(agentList, ['-output', 'json'], answers);
  assert.match(json.stdout, /^\{"agents":\[\{.*\/two".*\}\],"next_page_token":""\}\n$/);
});

test('agent list and agent count know one and none', async () => {
  const list = (agents: object[]) => ({ listAgents: () => ({ agents }) });
  const none = good('No attested agents found\n');
  assert.deepEqual(await run(agentList, [], list([])), none);
  const single = good(`Found 1 attested agent:\n\n${oneText}`);
  assert.deepEqual(await run(agentList, [], list([one])), single);
  for (const [count, text] of [
    [0, '0 attested agents\n'],
    [1, '1 attested agent\n'],
    [7, '7 attested agents\n'],
  ] as const) {
    assert.deepEqual(await run(agentCount, [], { countAgents: () => ({ count }) }), good(text));
  }
  const answers = { countAgents: () => ({ count: 3 }) };
  assert.deepEqual(await run(agentCount, ['-output', 'json'], answers), good('{"count":3}\n'));
});

test('every filter reaches the server', async () => {
  let filter: ListAgentsRequest['filter'];
  const answers: Answers<typeof Agent> = {
    listAgents(request) {
      filter = request.filter;
      return {};
    },
  };
  const date = '2026-03-01 10:00:00 +0000 +00';
  const args =
    '-selector a:1 -selector b:2:3 -matchSelectorsOn any -attestationType t -canReattest true -banned=false -expiresBefore';
  await run(agentList, [...args.split(' '), date], answers);
  assert.deepEqual(
    filter?.bySelectorMatch?.selectors.map(({ type, value }) => [type, value]),
    [
      ['a', '1'],
      ['b', '2:3'],
    ],
  );
  assert.equal(filter.bySelectorMatch.match, Match.MATCH_ANY);
  assert.equal(filter.byAttestationType, 't');
  assert.equal(filter.byCanReattest, true);
  assert.equal(filter.byBanned, false);
  assert.equal(filter.byExpiresBefore, date);
});

const filterRefusals: readonly [args: string[], reason: string][] = [
  [['-selector', 'a:1', '-matchSelectorsOn', 'some'], 'unsupported match behavior'],
  [['-selector', 'a'], 'error parsing selector "a": selector "a" must be formatted as type:value'],
  [
    ['-expiresBefore', '2001-13-05'],
    'date is not valid: parsing time "2001-13-05": month out of range',
  ],
];
for (const [args, reason] of filterRefusals) {
  test(`agent list and agent count refuse ${args.join(' ')}`, async () => {
    assert.deepEqual(await run(agentList, args, {}), bad(reason));
    assert.deepEqual(await run(agentCount, args, {}), bad(reason));
  });
}

test('a match word without selectors is not looked at', async () => {
  const answers = { countAgents: () => ({ count: 0 }) };
  const said = await run(agentCount, ['-matchSelectorsOn', 'some'], answers);
  assert.deepEqual(said, good('0 attested agents\n'));
});

const MONTH = 30n * 24n * 3600n;
const expired = (name: string, ago: bigint) => ({ id: id(name), x509svidExpiresAt: NOW - ago });

test('agent purge removes those that expired long ago, and goes on when one stays', async () => {
  const deleted: string[] = [];
  const answers: Answers<typeof Agent> = {
    listAgents(request) {
      assert.equal(request.filter?.byCanReattest, true);
      assert.equal(request.outputMask?.x509svidExpiresAt, true);
      return {
        agents: [expired('b', MONTH + 1n), expired('edge', MONTH), expired('a', 2n * MONTH)],
      };
    },
    deleteAgent({ id: agentId }) {
      if (agentId?.path.endsWith('/b')) throw new Fault('internal', 'boom');
      deleted.push(agentId?.path ?? '');
      return {};
    },
  };
  assert.deepEqual(
    await run(agentPurge, [], answers),
    good(`Found 2 expired agents

Agents purged:
SPIFFE ID         : spiffe://td/spire/agent/x/a
Agents not purged:
SPIFFE ID         : spiffe://td/spire/agent/x/b
Error             : rpc error: code = Internal desc = boom
`),
  );
  assert.deepEqual(deleted, ['/spire/agent/x/a']);
  assert.deepEqual(
    await run(agentPurge, ['-output', 'json'], answers),
    good(
      '{"expired_agents":[{"agent_id":"spiffe://td/spire/agent/x/b","deleted":false,' +
        '"error":"rpc error: code = Internal desc = boom"},' +
        '{"agent_id":"spiffe://td/spire/agent/x/a","deleted":true}]}\n',
    ),
  );
});

test('agent purge -dryRun deletes nothing', async () => {
  const answers = { listAgents: () => ({ agents: [expired('a', 11n)] }) };
  const args = ['-dryRun', '-expiredFor', '10s'];
  assert.deepEqual(
    await run(agentPurge, args, answers),
    good(
      'Found 1 expired agent\n\n\nAgents that can be purged:\nSPIFFE ID         : spiffe://td/spire/agent/x/a\n',
    ),
  );
  assert.deepEqual(
    await run(agentPurge, [...args, '-output', 'json'], answers),
    good('{"expired_agents":[{"agent_id":"spiffe://td/spire/agent/x/a","deleted":false}]}\n'),
  );
});

test('agent purge without anything to do, and with a server that fails', async () => {
  const none = { listAgents: () => ({}) };
  assert.deepEqual(await run(agentPurge, [], none), good('No agents to purge.\n'));
  assert.deepEqual(
    await run(agentPurge, ['-output', 'json'], none),
    good('{"expired_agents":[]}\n'),
  );
  const fail = () => {
    throw new Fault('internal', 'boom');
  };
  assert.deepEqual(
    await run(agentPurge, [], { listAgents: fail }),
    bad('failed to list agents: rpc error: code = Internal desc = boom'),
  );
});
