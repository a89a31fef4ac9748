import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { authorizedEntry } from '../../../test/kit/authorized-entry.ts';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { TestCa } from '../../../test/kit/test-ca.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { generateKey } from '../../crypto/keys.ts';
import type { WorkloadAttestor } from '../../plugins/workload-attestor/contract.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { AgentStatus, SyncOutcome } from '../status.ts';
import { askAttestors } from './ask-attestors.ts';
import { type ExplainDeps, explainProcess } from './explain-process.ts';

const { signal } = new AbortController();
const clock = new VirtualClock();
const now = clock.now() / 1000;

const attestor = (name: string, attest: WorkloadAttestor['attest']): WorkloadAttestor => ({
  name,
  attest,
  [Symbol.asyncDispose]: async () => {},
});
const finds = (name: string, ...values: string[]) => attestor(name, async () => values);
const fails = (name: string, why: string) =>
  attestor(name, async () => {
    throw new Error(why);
  });

const lifetime = { notBefore: now - 10, notAfter: now + 3600 };
const ca = await TestCa.create(TrustDomain.parse('cache.test'), lifetime);
const key = await generateKey('ec-p256');
const agentSvid = await ca.agentSvid(
  SpiffeId.parse('spiffe://cache.test/spire/agent/x'),
  await buildCsr({ uris: [], dnsNames: [] }, key),
  lifetime,
);

type World = {
  readonly attestors?: readonly WorkloadAttestor[];
  readonly entries?: readonly AuthorizedEntry[];
  readonly svids?: Readonly<Record<string, number>>;
  readonly lastSync?: SyncOutcome;
  readonly startTimeOf?: ExplainDeps['startTimeOf'];
};

function explain({ attestors, entries = [], svids = {}, lastSync, startTimeOf }: World, pid = 7) {
  const status: AgentStatus = {
    svidChain: [agentSvid],
    x509SvidCount: 0,
    jwtSvidCount: 0,
    storeSvidCount: 0,
    entries,
    svidOf: (id) =>
      svids[id] === undefined ? undefined : ({ notAfter: svids[id] } as unknown as X509Svid),
    lastSyncSuccess: clock.now() - 90_000,
    lastSync: lastSync ?? { endedAt: clock.now() - 90_000, failure: undefined },
  };
  return explainProcess(
    {
      attestors: attestors ?? [finds('unix', 'uid:1', 'gid:1')],
      status,
      clock,
      startTimeOf: startTimeOf ?? (async () => '1'),
    },
    pid,
    signal,
  );
}

const web = authorizedEntry('web', ['unix:uid:1']);
const other = authorizedEntry('other', ['unix:uid:2']);

describe('the verdict, and the sentence for it', () => {
  const rows: readonly [verdict: string, world: World, conclusion: string][] = [
    [
      'has-identity',
      { entries: [web], svids: { web: now + 100 } },
      'it is served spiffe://cache.test/web',
    ],
    [
      'has-identity',
      {
        entries: [authorizedEntry('b', ['unix:gid:1']), web],
        svids: { web: now + 100, b: now + 1 },
      },
      'it is served 2 identities: spiffe://cache.test/b, spiffe://cache.test/web',
    ],
    [
      'attestation-failed',
      { attestors: [fails('unix', 'no'), fails('docker', 'away')], entries: [web] },
      'no attestor could look at it: unix: no; docker: away',
    ],
    [
      'no-selectors',
      { attestors: [finds('unix'), fails('docker', 'away')], entries: [web] },
      'the attestors found nothing about it',
    ],
    ['no-entries', {}, 'the server lets this agent serve no entry at all'],
    [
      'no-entry-matches',
      { entries: [other] },
      'none of the 1 entries that this agent serves matches its selectors; spiffe://cache.test/other (entry other) lacks unix:uid:2',
    ],
    [
      'no-entry-matches',
      { attestors: [finds('unix', 'uid:1'), fails('docker', 'away')], entries: [other] },
      'none of the 1 entries that this agent serves matches its selectors; spiffe://cache.test/other (entry other) lacks unix:uid:2; not looked at by docker, which failed',
    ],
    [
      'no-entry-matches',
      { entries: [other], lastSync: { endedAt: clock.now(), failure: 'the server says no' } },
      'none of the 1 entries that this agent serves matches its selectors; spiffe://cache.test/other (entry other) lacks unix:uid:2; what it knows is 1m30s old, since synchronizing fails: the server says no',
    ],
    [
      'stored-only',
      { entries: [authorizedEntry('s', ['unix:uid:1'], { storeSvid: true })] },
      'its entries are marked for stores of SVIDs (store_svid), and are not served to processes',
    ],
    [
      'no-svid',
      { entries: [web] },
      'an entry matches, and its X509-SVID is signed when it is asked for',
    ],
    [
      'no-svid',
      { entries: [web], svids: { web: now } },
      'an entry matches, but its X509-SVID has expired and no new one was signed',
    ],
  ];
  for (const [verdict, world, conclusion] of rows) {
    test(`${verdict}: ${conclusion}`, async () => {
      const found = await explain(world);
      assert.equal(found.verdict, verdict);
      assert.equal(found.conclusion, conclusion);
    });
  }
});

test('tells of each matching entry how it serves', async () => {
  const { matching } = await explain({
    entries: [
      authorizedEntry('d', ['unix:uid:1'], { hint: 'h', createdAt: 2 }),
      authorizedEntry('c', ['unix:uid:1'], { hint: 'h', createdAt: 1 }),
      authorizedEntry('b', ['unix:uid:1', 'unix:gid:1'], { storeSvid: true, hint: 'h' }),
      authorizedEntry('a', ['unix:uid:1']),
      authorizedEntry('e', ['unix:gid:1']),
    ],
    svids: { a: now + 5, e: now - 5 },
  });
  assert.deepEqual(
    matching.map(({ entryId, service, svidExpiresAt }) => [entryId, service, svidExpiresAt]),
    [
      ['a', { kind: 'served' }, now + 5],
      ['b', { kind: 'stored' }, undefined],
      ['c', { kind: 'not-signed-yet' }, undefined],
      ['d', { kind: 'hidden', by: 'c' }, undefined],
      ['e', { kind: 'expired' }, now - 5],
    ],
  );
});

test('tells what each attestor found, in their order, and what the agent knows', async () => {
  const found = await explain({
    attestors: [fails('docker', 'away'), finds('unix', 'uid:1', 'uid:1')],
    entries: [web],
    lastSync: { endedAt: clock.now(), failure: 'no' },
  });
  assert.deepEqual(
    found.attestors.map(({ name, selectors, failure }) => [name, selectors, failure]),
    [
      ['docker', [], 'away'],
      ['unix', ['unix:uid:1'], undefined],
    ],
  );
  assert.deepEqual(found.agent, {
    spiffeId: 'spiffe://cache.test/spire/agent/x',
    svidExpiresAt: lifetime.notAfter,
    entryCount: 1,
    lastSyncSuccess: clock.now() - 90_000,
    lastSync: clock.now(),
    lastSyncFailure: 'no',
  });
});

describe('refuses', () => {
  for (const pid of [0, -1]) {
    test(`the PID ${pid}`, async () => {
      await assert.rejects(explain({}, pid), { kind: 'invalid' });
    });
  }

  test('a process that is not there', async () => {
    const startTimeOf = async () => {
      throw new Error('no such file');
    };
    await assert.rejects(explain({ startTimeOf }), {
      kind: 'not-found',
      message: "there is no process 7 in the agent's PID namespace",
    });
  });

  const gone: readonly [why: string, later: () => Promise<string>][] = [
    ['ends while it is looked at', () => Promise.reject(new Error('gone'))],
    ['gives its number to another one meanwhile', async () => '2'],
  ];
  for (const [why, later] of gone) {
    test(`a process that ${why}`, async () => {
      let asked = 0;
      const startTimeOf = async () => (asked++ === 0 ? '1' : later());
      await assert.rejects(explain({ startTimeOf }), {
        kind: 'aborted',
        message: 'process 7 ended while it was looked at',
      });
    });
  }

  test('a real process that has been waited for', async () => {
    const child = spawn('/bin/true', { stdio: 'ignore' });
    await once(child, 'exit');
    const deps = { attestors: [], status: {} as AgentStatus, clock };
    await assert.rejects(explainProcess(deps, child.pid ?? 0, signal), { kind: 'not-found' });
  });
});

describe('asking attestors', () => {
  test('one that is deaf keeps nobody waiting', async () => {
    const deaf = attestor('deaf', () => new Promise<never>(() => {}));
    const findings = await askAttestors([deaf, finds('unix', 'uid:1')], 7, signal, 20);
    assert.deepEqual(
      findings.map(({ failure, selectors }) => [failure, selectors]),
      [
        ['no answer within 0.02 s', []],
        [undefined, ['unix:uid:1']],
      ],
    );
  });

  test('ends with whoever asked', async () => {
    const gone = new AbortController();
    const deaf = attestor('deaf', () => new Promise<never>(() => {}));
    const asked = askAttestors([deaf], 7, gone.signal);
    gone.abort(new Error('gone'));
    await assert.rejects(asked, { message: 'gone' });
  });
});
