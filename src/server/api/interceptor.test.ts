import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { plainAgent } from '../../../test/kit/api-call.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { type Emitted, recordingMetrics, statusesOf } from '../../../test/kit/recording-metrics.ts';
import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import { noMetrics } from '../../ops/metrics.ts';
import type { RpcCall } from '../../rpc/serve.ts';
import { BanAgentRequestSchema } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import type { Peer } from '../endpoints/peer.ts';
import type { Policy, PolicyQuestion } from '../policy/open-policy.ts';
import type { Permission } from './authorization.ts';
import type { Call } from './call.ts';
import { createInterceptor, type InterceptorDeps } from './interceptor.ts';
import { createRateLimits } from './rate-limits.ts';

const BAN = '/spire.api.server.agent.v1.Agent/BanAgent';
const RENEW = '/spire.api.server.agent.v1.Agent/RenewAgent';
const ATTEST = '/spire.api.server.agent.v1.Agent/AttestAgent';
const HEALTH = '/grpc.health.v1.Health/Check';

const clock = new VirtualClock();
const local: Peer = { kind: 'local', pid: 42, uid: 1000, gid: 1001 };
const anonymous: Peer = { kind: 'tcp', address: '192.0.2.1', port: 4711, chain: [], id: undefined };
const agent: Peer = {
  ...anonymous,
  chain: [{ serialNumber: 1001n, notAfter: 2_000_000_000 } as Certificate],
  id: plainAgent.id,
};

function intercepted({ auditLogEnabled = true, ...more }: Partial<InterceptorDeps> = {}) {
  const lines: LogLine[] = [];
  const intercept = createInterceptor({
    adminIds: new Set(),
    entries: { bySpiffeId: () => [] },
    agents: {
      get: (id) => (id.equals(plainAgent.id) ? plainAgent : undefined),
      confirm: async () => undefined,
      activate: async () => plainAgent,
    },
    metrics: noMetrics,
    clock,
    log: recordingLog(lines),
    rateLimits: createRateLimits({ attestation: true, signing: true }, clock),
    auditLogEnabled,
    newRequestId: () => 'a-uuid',
    programOf: async (pid) => `/bin/program-${pid}`,
    ...more,
  });
  const run = async (method: string, peer: Peer, handle: (call: Call) => unknown) => {
    const rpc: RpcCall<Peer> = {
      method,
      peer,
      signal: new AbortController().signal,
      deadline: clock.now() + 100,
      header: () => [],
      request: { schema: BanAgentRequestSchema, message: create(BanAgentRequestSchema) },
    };
    await intercept(rpc, async (call) => {
      await handle(call);
    });
  };
  const audits = () => lines.filter(({ message }) => message === 'API accessed');
  return { run, lines, audits };
}

const tcpFields = {
  subsystem_name: 'api',
  service: 'agent.v1.Agent',
  method: 'RenewAgent',
  caller_addr: '192.0.2.1:4711',
  caller_id: plainAgent.id.toString(),
  request_id: 'a-uuid',
  authorized_as: 'agent',
  authorized_via: 'datastore',
};

test('a call that goes well leaves one audit record', async () => {
  const { run, lines } = intercepted();
  await run(RENEW, agent, (call) => {
    call.audit({ csr: 'abc' });
    call.audit({ more: 1 });
  });
  assert.deepEqual(lines, [
    {
      message: 'API accessed',
      fields: { ...tcpFields, type: 'audit', status: 'success', csr: 'abc', more: 1 },
    },
  ]);
});

test('a call that fails leaves its error in log and audit record', async () => {
  const { run, lines } = intercepted();
  const failure = new Fault('invalid', 'missing CSR');
  await assert.rejects(
    run(RENEW, agent, () => Promise.reject(failure)),
    failure,
  );
  assert.deepEqual(lines, [
    { message: 'Invalid argument: missing CSR', fields: tcpFields },
    {
      message: 'API accessed',
      fields: {
        ...tcpFields,
        type: 'audit',
        status: 'error',
        status_code: { text: 'InvalidArgument', json: 3 },
        status_message: 'missing CSR',
      },
    },
  ]);
});

test('a bug is audited as Unknown and passed on as it is', async () => {
  const { run, audits } = intercepted();
  const bug = new TypeError('a bug');
  await assert.rejects(
    run(RENEW, agent, () => Promise.reject(bug)),
    bug,
  );
  assert.deepEqual(audits()[0]?.fields['status_code'], { text: 'Unknown', json: 2 });
});

test('a batch leaves a record for each item, and no other', async () => {
  const { run, audits } = intercepted();
  await run(BAN, local, (call) => {
    const record = call.auditItems();
    record({ entry_id: 'a' });
    record({ entry_id: 'b' }, new Fault('not-found', 'entry not found'));
  });
  assert.deepEqual(
    audits().map(({ fields }) => [fields['entry_id'], fields['status'], fields['status_code']]),
    [
      ['a', 'success', undefined],
      ['b', 'error', { text: 'NotFound', json: 5 }],
    ],
  );
});

test('a batch that fails as a whole leaves the one record of that', async () => {
  const { run, audits } = intercepted();
  await assert.rejects(
    run(BAN, local, (call) => {
      call.auditItems();
      return Promise.reject(new Fault('invalid', 'bad mode'));
    }),
  );
  assert.deepEqual(
    audits().map(({ fields }) => fields['status_message']),
    ['bad mode'],
  );
});

test('the record of a local caller names user, group and program', async () => {
  const { run, audits } = intercepted();
  await run(BAN, local, () => undefined);
  const { caller_uid, caller_gid, caller_path, caller_addr, authorized_as } =
    audits()[0]?.fields ?? {};
  assert.deepEqual(
    [caller_uid, caller_gid, caller_path, caller_addr, authorized_as],
    [1000, 1001, '/bin/program-42', undefined, 'local'],
  );
});

test('a healthy health check is not audited, a failing one is', async () => {
  const { run, audits } = intercepted();
  await run(HEALTH, local, () => undefined);
  assert.deepEqual(audits(), []);
  await assert.rejects(run(HEALTH, local, () => Promise.reject(new Fault('invalid', 'no'))));
  assert.equal(audits()[0]?.fields['service'], 'Health');
});

test('without audit_log_enabled nothing is audited, and nobody is inspected', async () => {
  const { run, audits } = intercepted({
    auditLogEnabled: false,
    programOf: () => assert.fail('inspected'),
  });
  await run(BAN, local, (call) => {
    call.audit({ a: 1 });
    call.auditItems()({ b: 1 });
  });
  assert.deepEqual(audits(), []);
});

test('who is denied is logged, not audited, and reaches no handler', async () => {
  const { run, lines } = intercepted();
  await assert.rejects(
    run(BAN, anonymous, () => assert.fail('reached the handler')),
    { kind: 'denied', message: `authorization denied for method ${BAN}` },
  );
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['Failed to authenticate caller'],
  );
});

test('a certificate that names nobody is logged, and reaches no handler', async () => {
  const { run, lines } = intercepted();
  const nobody: Peer = {
    ...anonymous,
    chain: [{ uris: [] as string[] } as unknown as Certificate],
  };
  await assert.rejects(
    run(ATTEST, nobody, () => assert.fail('reached the handler')),
    { kind: 'unauthenticated' },
  );
  assert.deepEqual(
    lines.map(({ message, fields }) => [message, fields['error']]),
    [['Failed to authenticate caller', 'client certificate has no URI SAN']],
  );
});

test('calls from the network are limited by address, and what is refused is audited', async () => {
  const { run, audits } = intercepted();
  await run(ATTEST, anonymous, (call) => call.rateLimit(1));
  await assert.rejects(
    run(ATTEST, anonymous, (call) => call.rateLimit(1)),
    { kind: 'exhausted', message: 'rate: Wait(n=1) would exceed context deadline' },
  );
  assert.deepEqual(audits()[1]?.fields['status_code'], { text: 'ResourceExhausted', json: 8 });
});

test('calls of this machine are not limited', async () => {
  const { run } = intercepted();
  await run(ATTEST, local, async (call) => {
    for (let n = 0; n < 5; n++) await call.rateLimit(1);
  });
});

test('a handler knows where its caller is', async () => {
  const { run } = intercepted();
  await run(ATTEST, anonymous, ({ address, clientIp }) => {
    assert.deepEqual([address, clientIp], ['192.0.2.1:4711', '192.0.2.1']);
  });
  await run(ATTEST, local, ({ address, clientIp }) => {
    assert.deepEqual([address, clientIp], ['', undefined]);
  });
});

/** A policy that notes what it is asked, and always answers the same. */
function fixedPolicy(answer: Permission | Error) {
  const asked: PolicyQuestion[] = [];
  const policy: Policy = (question) => {
    asked.push(question);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { policy, asked };
}

test('a configured policy decides in place of the default one', async () => {
  const { policy } = fixedPolicy({ anyone: true });
  const { run } = intercepted({ policy });
  const callers: unknown[] = [];
  await run(BAN, anonymous, (call) => callers.push(call.caller));
  assert.deepEqual(callers, [{ kind: 'nobody' }]);
});

const denied: readonly [what: string, peer: Peer, permission: Permission][] = [
  ['nothing', local, {}],
  ['nothing', agent, {}],
  ['local callers', anonymous, { local: true }],
  ['local callers', agent, { local: true }],
  ['agents', local, { agent: true }],
  ['administrators', agent, { admin: true }],
  ['downstream servers', agent, { downstream: true }],
];
for (const [what, peer, permission] of denied) {
  test(`a policy that permits ${what} keeps out ${peer.kind === 'local' ? 'local' : (peer.id?.toString() ?? 'anyone')}`, async () => {
    const { run } = intercepted({ policy: fixedPolicy(permission).policy });
    await assert.rejects(
      run(BAN, peer, () => assert.fail('it was called')),
      { kind: 'denied', message: `authorization denied for method ${BAN}` },
    );
  });
}

test('an agent that a policy permits is checked as an agent is', async () => {
  const { policy } = fixedPolicy({ agent: true });
  const { run } = intercepted({ policy });
  const kinds: string[] = [];
  await run(BAN, agent, ({ caller }) => kinds.push(caller.kind));
  assert.deepEqual(kinds, ['agent']);
  const agents = {
    get: () => undefined,
    confirm: async () => undefined,
    activate: async () => plainAgent,
  };
  await assert.rejects(
    intercepted({ policy, agents }).run(BAN, agent, () => assert.fail('it was called')),
    { kind: 'denied', denial: 'not-attested' },
  );
});

test('a policy is told who calls, what, and with which program where that is audited', async () => {
  const request = { schema: BanAgentRequestSchema, message: create(BanAgentRequestSchema) };
  const rows: readonly [peer: Peer, auditLogEnabled: boolean, expected: Partial<PolicyQuestion>][] =
    [
      [local, true, { caller: '', callerFilePath: '/bin/program-42' }],
      [local, false, { caller: '', callerFilePath: undefined }],
      [anonymous, true, { caller: '', callerFilePath: undefined }],
      [agent, true, { caller: plainAgent.id.toString(), callerFilePath: undefined }],
    ];
  for (const [peer, auditLogEnabled, expected] of rows) {
    const { policy, asked } = fixedPolicy({ anyone: true });
    await intercepted({ policy, auditLogEnabled }).run(BAN, peer, () => undefined);
    assert.deepEqual(asked, [{ ...expected, fullMethod: BAN, request }]);
  }
});

test('a policy that fails lets nobody through', async () => {
  const { policy } = fixedPolicy(new Fault('unknown', 'policy: no matching policies found'));
  const { run, lines } = intercepted({ policy });
  for (const peer of [local, agent, anonymous]) {
    await assert.rejects(
      run(HEALTH, peer, () => assert.fail('it was called')),
      { kind: 'unknown', message: 'policy: no matching policies found' },
    );
  }
  assert.equal(lines[0]?.message, 'Authorization failure from OPA auth');
  assert.equal(lines[0].fields['error'], 'policy: no matching policies found');
});

test('every call is counted under the name of its method, and what waited for its turn too', async () => {
  const emitted: Emitted[] = [];
  const { run } = intercepted({ metrics: recordingMetrics(emitted) });
  await run(RENEW, agent, (call) => call.rateLimit(1));
  await assert.rejects(run(RENEW, agent, () => Promise.reject(new Fault('invalid', 'no'))));
  await assert.rejects(
    run(RENEW, agent, (call) => call.rateLimit(1000)),
    { kind: 'exhausted' },
  );
  await assert.rejects(
    run(BAN, anonymous, () => assert.fail()),
    { kind: 'denied' },
  );
  await run(BAN, local, (call) => call.rateLimit(1));
  const statuses = (key: string) => statusesOf(emitted, key);
  assert.deepEqual(statuses('rpc.agent.v1.agent.renew_agent'), [
    'OK',
    'InvalidArgument',
    'ResourceExhausted',
  ]);
  assert.deepEqual(statuses('rateLimit.agent.v1.agent.renew_agent'), ['OK', 'ResourceExhausted']);
  assert.deepEqual(statuses('rpc.agent.v1.agent.ban_agent'), ['PermissionDenied', 'OK']);
  assert.deepEqual(statuses('rateLimit.agent.v1.agent.ban_agent'), [], 'locals are not limited');
});
