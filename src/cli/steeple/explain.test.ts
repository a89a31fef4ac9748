import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { fakeService, runCommand } from '../../../test/kit/run-command.ts';
import { Fault, type FaultKind } from '../../base/fault.ts';
import {
  Explain,
  type ExplainProcessResponseSchema,
  MatchingEntry_Service as Service,
  Verdict,
} from '../../wire/gen/steeple/agent/explain/v1/explain_pb.ts';
import { explain } from './explain.ts';

const now = Math.floor(new VirtualClock().now() / 1000);

const refused: MessageInitShape<typeof ExplainProcessResponseSchema> = {
  pid: 42,
  verdict: Verdict.NO_ENTRY_MATCHES,
  conclusion: 'nothing matches',
  attestors: [
    { name: 'unix', selectors: ['unix:uid:1', 'unix:gid:1'], durationMicroseconds: 1500n },
    { name: 'docker', failure: 'no daemon', durationMicroseconds: 2_000_000n },
    { name: 'systemd', durationMicroseconds: 10n },
  ],
  near: [
    {
      entryId: 'e1',
      spiffeId: 'spiffe://a.test/web',
      has: ['unix:gid:1'],
      lacks: [
        { selector: 'unix:uid:2', found: ['unix:uid:1'] },
        { selector: 'docker:label:a:b', found: [] },
        { selector: 'k8s:ns:web', found: [] },
        { selector: 'systemd:id:a', found: [] },
        { selector: 'unix:path:/a', found: [] },
      ],
    },
  ],
  nearCount: 12,
  agent: {
    spiffeId: 'spiffe://a.test/spire/agent/x',
    svidExpiresAt: BigInt(now + 3600),
    entryCount: 17,
    lastSyncSuccess: BigInt(now - 90),
    lastSync: BigInt(now - 5),
    lastSyncFailure: 'the server says no',
  },
};

const run = (answer: MessageInitShape<typeof ExplainProcessResponseSchema>, ...args: string[]) =>
  runCommand(explain, args, {
    services: [fakeService(Explain, { explainProcess: ({ pid }) => ({ ...answer, pid }) })],
  });

test('a process without an identity: the reason first, then what it rests on', async () => {
  const { code, stdout, stderr } = await run(refused, '-pid', '42');
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(
    stdout,
    `Process 42 has no identity.
  Nothing matches.

What the attestors found
  unix, in 1.5ms
    unix:uid:1
    unix:gid:1
  docker failed after 2s: no daemon
  systemd, in 10µs
    nothing

Entries that match
  none

Entries that nearly match (the nearest 1 of 12)
  spiffe://a.test/web (entry e1)
    lacks unix:uid:2 (the process has unix:uid:1)
    lacks docker:label:a:b (the process could not be looked at by docker)
    lacks k8s:ns:web (the process is looked at by no attestor "k8s": none is configured)
    lacks systemd:id:a (the process has no systemd:id)
    lacks unix:path:/a (the process has no unix:path, or discover_workload_path is not set)
    has   unix:gid:1

What the agent knows
  It is spiffe://a.test/spire/agent/x, until 2026-01-01T01:00:00Z.
  It serves 17 entries, synchronized 1m30s ago.
  The last attempt, 5s ago, failed: the server says no

The server tells an agent only of entries below that agent. One that should match and is not shown here has another
parent: look for it by "spire-server entry show -spiffeID ID", and compare its parent ID with the agent’s ID above. Where
the parent is an alias of nodes (entry create -node), the agent must have the selectors of that entry: those which
"spire-server agent show -spiffeID ID" prints.
`,
  );
});

const services: readonly [service: Service, line: string][] = [
  [Service.SERVED, 'served: its X509-SVID is valid until 2026-01-01T00:00:10Z'],
  [
    Service.NOT_SIGNED_YET,
    'not signed yet: the agent asks the server for its X509-SVID when the process asks for one',
  ],
  [Service.EXPIRED, 'its X509-SVID expired at 2026-01-01T00:00:10Z, and there is no newer one'],
  [Service.HIDDEN, 'hidden: entry e0 has the same hint, and is older'],
  [Service.STORED, 'kept for stores of SVIDs (store_svid): never served to a process'],
  [99 as Service, 'this command does not know what the agent says of it (99)'],
];
for (const [service, line] of services) {
  test(`a matching entry is ${line}`, async () => {
    const entry = {
      entryId: 'e1',
      spiffeId: 'spiffe://a.test/web',
      selectors: ['unix:uid:1'],
      hint: 'internal',
      service,
      hiddenBy: 'e0',
      svidExpiresAt: BigInt(now + 10),
    };
    const { stdout } = await run(
      { ...refused, verdict: Verdict.HAS_IDENTITY, matching: [entry] },
      '-pid',
      '42',
    );
    assert.match(stdout, /^Process 42 has an identity\.\n/);
    assert.ok(
      stdout.includes(
        `Entries that match\n  spiffe://a.test/web (entry e1, hint internal)\n    ${line}\n    needs unix:uid:1\n`,
      ),
      stdout,
    );
    assert.doesNotMatch(stdout, /parent ID/);
  });
}

test('an agent that never heard from its server', async () => {
  const agent = { ...refused.agent, entryCount: 1, lastSyncSuccess: 0n, lastSyncFailure: '' };
  const { stdout } = await run({ ...refused, agent }, '-pid', '42');
  assert.match(stdout, / {2}It serves 1 entry, never yet synchronized\.\n/);
});

test('JSON holds all of it', async () => {
  const { code, stdout } = await run(refused, '-pid', '42', '-output', 'json');
  assert.equal(code, 0);
  const answer = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(answer['verdict'], 'VERDICT_NO_ENTRY_MATCHES');
  assert.equal(answer['near_count'], 12);
  assert.equal((answer['attestors'] as unknown[]).length, 3);
});

const mistakes: readonly [args: string[], message: string][] = [
  [[], 'a process must be named (-pid)'],
  [['-pid', '0'], 'a process must be named (-pid)'],
  [['-pid', '3000000000'], 'invalid value for pid: overflow converting int(3000000000) to int32'],
];
for (const [args, message] of mistakes) {
  test(`refuses ${JSON.stringify(args)}`, async () => {
    const { code, stdout, stderr } = await run(refused, ...args);
    assert.deepEqual([code, stdout, stderr], [1, '', `Error: ${message}\n`]);
  });
}

const refusals: readonly [kind: FaultKind, code: string, wayOut: string, words?: string][] = [
  [
    'not-found',
    'NotFound',
    '\nIf it has ended: ask for one that runs, of the same user and program.',
  ],
  [
    'unavailable',
    'Unavailable',
    '\nThe agent must be running, with admin_socket_path in its configuration; name that path with -socketPath.',
  ],
  [
    'unimplemented',
    'Unimplemented',
    '\nThat is no admin socket of a Steeple agent: name the path of admin_socket_path with -socketPath.',
  ],
  [
    'unavailable',
    'Unavailable',
    "\nOnly the agent's user and group may ask there.",
    'dial unix /a: connect: permission denied',
  ],
  ['internal', 'Internal', ''],
];
for (const [kind, status, wayOut, words = 'it cannot be'] of refusals) {
  test(`tells what was refused as ${kind} (${words}), and the way out if there is one`, async () => {
    const services = [
      fakeService(Explain, {
        explainProcess() {
          throw new Fault(kind, words);
        },
      }),
    ];
    const { code, stderr } = await runCommand(explain, ['-pid', '42'], { services });
    assert.equal(code, 1);
    assert.equal(stderr, `Error: rpc error: code = ${status} desc = ${words}${wayOut}\n`);
  });
}
