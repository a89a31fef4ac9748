import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAgent } from '../../../test/kit/api-call.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { Fault } from '../../base/fault.ts';
import { silentLog } from '../../ops/log.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { type AuthorizationDeps, authorize, permissions } from './authorization.ts';
import type { Identity } from './caller.ts';

const source = { address: '192.0.2.1', port: 4711 };
const clock = new VirtualClock();
const local: Identity = { kind: 'local', pid: 1, uid: 0, gid: 0 };
const anonymous: Identity = { kind: 'anonymous', source };
const svidOf = (id: SpiffeId): Identity => ({
  kind: 'svid',
  source,
  id,
  leaf: { serialNumber: 1001n, notAfter: clock.now() / 1000 + 60 },
});

const flagged = {
  admin: SpiffeId.parse('spiffe://example.org/admin'),
  downstream: SpiffeId.parse('spiffe://example.org/down'),
  both: SpiffeId.parse('spiffe://example.org/both'),
};
const workload = SpiffeId.parse('spiffe://example.org/web');
const configured = SpiffeId.parse('spiffe://other.test/operator');
const entries: Partial<Entry>[] = [
  { spiffeId: flagged.admin, admin: true, downstream: false },
  { spiffeId: flagged.downstream, admin: false, downstream: false },
  { spiffeId: flagged.downstream, admin: false, downstream: true, id: 'the-downstream' },
  { spiffeId: flagged.both, admin: true, downstream: true },
  { spiffeId: workload, admin: false, downstream: false },
];
const deps: AuthorizationDeps = {
  adminIds: new Set([configured.toString()]),
  entries: {
    bySpiffeId: (id) => entries.filter(({ spiffeId }) => spiffeId?.equals(id)) as Entry[],
  },
  agents: {
    get: (id) => (id.equals(plainAgent.id) ? plainAgent : undefined),
    confirm: async () => undefined,
    activate: async () => plainAgent,
  },
  clock,
};

const agentApi = '/spire.api.server.agent.v1.Agent';
const svidApi = '/spire.api.server.svid.v1.SVID';
const bundleApi = '/spire.api.server.bundle.v1.Bundle';

const passes: [who: string, identity: Identity, method: string, as: object][] = [
  ['anyone', anonymous, `${agentApi}/AttestAgent`, { kind: 'nobody' }],
  [
    'a local caller, but as nobody where anyone may call',
    local,
    `${bundleApi}/GetBundle`,
    { kind: 'nobody' },
  ],
  ['a local caller', local, `${agentApi}/BanAgent`, { kind: 'local' }],
  [
    'an admin of the configuration',
    svidOf(configured),
    `${agentApi}/BanAgent`,
    { kind: 'admin', id: configured, via: 'config' },
  ],
  [
    'an admin entry',
    svidOf(flagged.admin),
    `${agentApi}/BanAgent`,
    { kind: 'admin', id: flagged.admin, via: 'entries' },
  ],
  [
    'a downstream entry',
    svidOf(flagged.downstream),
    `${svidApi}/NewDownstreamX509CA`,
    { kind: 'downstream', id: flagged.downstream, entries: [entries[2]] },
  ],
  [
    'an ID with both flags as admin',
    svidOf(flagged.both),
    `${svidApi}/MintX509SVID`,
    { kind: 'admin', id: flagged.both, via: 'entries' },
  ],
  [
    'an ID with both flags as downstream',
    svidOf(flagged.both),
    `${bundleApi}/PublishJWTAuthority`,
    { kind: 'downstream', id: flagged.both, entries: [entries[3]] },
  ],
  [
    'an agent',
    svidOf(plainAgent.id),
    `${agentApi}/RenewAgent`,
    { kind: 'agent', id: plainAgent.id, agent: plainAgent },
  ],
  [
    'an agent where operators may call too',
    svidOf(plainAgent.id),
    `${bundleApi}/GetFederatedBundle`,
    { kind: 'agent', id: plainAgent.id, agent: plainAgent },
  ],
];
for (const [who, identity, method, as] of passes) {
  test(`lets through ${who}`, async () => {
    assert.deepEqual(await authorize(deps, method, identity, silentLog), as);
  });
}

const refusals: [who: string, identity: Identity, method: string, denial?: string][] = [
  ['a local caller from what is for agents', local, `${agentApi}/RenewAgent`],
  ['an anonymous caller from what is for operators', anonymous, `${agentApi}/BanAgent`],
  ['an anonymous caller from what is for agents', anonymous, `${svidApi}/NewJWTSVID`],
  ['a workload from what is for operators', svidOf(workload), `${agentApi}/BanAgent`],
  ['a workload from what is for agents', svidOf(workload), `${svidApi}/NewJWTSVID`, 'not-attested'],
  [
    'an admin from what is for agents',
    svidOf(flagged.admin),
    `${svidApi}/NewJWTSVID`,
    'not-attested',
  ],
  [
    'an admin from what is for downstreams',
    svidOf(flagged.admin),
    `${bundleApi}/PublishJWTAuthority`,
  ],
  ['an agent from what is for operators', svidOf(plainAgent.id), `${agentApi}/BanAgent`],
  [
    'a local caller from a method that is in no table',
    local,
    '/spire.api.server.agent.v1.Agent/Unknown',
  ],
  ['an admin from a method that is in no table', svidOf(flagged.admin), '/x.Y/Z'],
];
for (const [who, identity, method, denial] of refusals) {
  test(`keeps ${who}`, async () => {
    await assert.rejects(authorize(deps, method, identity, silentLog), {
      kind: 'denied',
      message: `authorization denied for method ${method}`,
      denial,
    });
  });
}

test('a failing look-up is not a denial', async () => {
  const failing: AuthorizationDeps = {
    ...deps,
    agents: {
      ...deps.agents,
      async confirm() {
        throw new Fault('unavailable', 'datastore-sql: gone');
      },
    },
  };
  await assert.rejects(authorize(failing, `${svidApi}/NewJWTSVID`, svidOf(workload), silentLog), {
    kind: 'internal',
    message: 'unable to look up agent information: datastore-sql: gone',
  });
});

test('the table has a row for each of the 65 methods', () => {
  assert.equal(permissions.size, 65);
});
