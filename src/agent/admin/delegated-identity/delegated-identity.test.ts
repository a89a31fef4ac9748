import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromBinary } from '@bufbuild/protobuf';
import { authorizedEntry } from '../../../../test/kit/authorized-entry.ts';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { type Emitted, recordingMetrics } from '../../../../test/kit/recording-metrics.ts';
import { Fault } from '../../../base/fault.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { SubscribeToX509SVIDsResponseSchema } from '../../../wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import type { AuthorizedEntry } from '../../authorized-entry.ts';
import type { BundleList } from '../../cache/bundle-news.ts';
import { Mailbox } from '../../cache/mailbox.ts';
import type { WorkloadUpdate, X509Svid } from '../../cache/workload-update.ts';
import type { Identities } from '../../identities.ts';
import type { WorkloadCall } from '../../workload-api/call.ts';
import type { DelegatedIdentityDeps } from './deps.ts';
import { subscribeToX509Bundles } from './subscribe-to-bundles.ts';
import { subscribeToX509Svids } from './subscribe-to-x509-svids.ts';

const own = TrustDomain.parse('cache.test');
const partner = TrustDomain.parse('b.test');
const delegate = authorizedEntry('delegate', ['caller:x']);
const svid = { chain: new Uint8Array(), privateKey: Uint8Array.of(1), notAfter: 7 } as X509Svid;
const target = { selectors: [{ type: 'target', value: 'y' }], pid: 0 };

function place() {
  const clock = new VirtualClock();
  const updates = new Mailbox<WorkloadUpdate>();
  const bundles = new Mailbox<BundleList>();
  const lines: LogLine[] = [];
  const emitted: Emitted[] = [];
  const state = { callerEntries: [delegate] as readonly AuthorizedEntry[], left: 0 };
  const subscription = <T extends object>(mailbox: Mailbox<T>) => ({
    next: (signal: AbortSignal) => mailbox.next(signal),
    [Symbol.dispose]: () => {
      state.left++;
    },
  });
  const identities = {
    matchingEntries: () => state.callerEntries,
    subscribe: () => subscription(updates),
    subscribeBundles: () => subscription(bundles),
  } as Partial<Identities> as Identities;
  const deps: DelegatedIdentityDeps = {
    identities,
    authorizedDelegates: new Set([delegate.spiffeId.toString()]),
    attest: () => Promise.reject(new Error('no such process')),
    clock,
    metrics: recordingMetrics(emitted),
  };
  const call: WorkloadCall = {
    signal: AbortSignal.timeout(5000),
    log: recordingLog(lines),
    isOwn: false,
    attest: async () => new Set(['caller:x']),
  };
  const tell = (...entries: readonly AuthorizedEntry[]) => {
    updates.deliver({
      identities: entries.map((entry) => ({ entry, svid })),
      bundle: emptyBundle(own),
      federatedBundles: [],
    });
  };
  return { clock, bundles, lines, emitted, state, deps, call, tell };
}

type Place = ReturnType<typeof place>;

async function nextOf(answers: ReturnType<typeof subscribeToX509Svids>) {
  const { value, done } = await answers.next();
  assert.ok(!done);
  return fromBinary(SubscribeToX509SVIDsResponseSchema, value.bytes);
}

describe('the stream of X509-SVIDs', () => {
  test('leaves out who administers servers or signs, and keeps whom they federate with', async () => {
    const { deps, call, tell } = place();
    const answers = subscribeToX509Svids(deps, target, call);
    tell(
      authorizedEntry('admin', ['a:b'], { admin: true, federatesWith: [partner] }),
      authorizedEntry('down', ['a:b'], { downstream: true }),
      authorizedEntry('web', ['a:b'], { hint: 'h' }),
    );
    const { x509Svids, federatesWith } = await nextOf(answers);
    assert.deepEqual(
      x509Svids.map(({ x509Svid }) => [x509Svid?.id?.path, x509Svid?.hint, x509Svid?.expiresAt]),
      [['/web', 'h', 7n]],
    );
    assert.deepEqual(federatesWith, ['spiffe://b.test']);
  });

  test('ends at the next message once the caller is no delegate any more', async () => {
    const { deps, call, tell, state, lines } = place();
    const answers = subscribeToX509Svids(deps, target, call);
    tell();
    assert.deepEqual((await nextOf(answers)).x509Svids, []);
    state.callerEntries = [authorizedEntry('other', ['caller:x'])];
    tell();
    await assert.rejects(nextOf(answers), {
      kind: 'denied',
      message: 'caller not configured as an authorized delegate',
    });
    assert.equal(state.left, 1);
    const refusal = lines.find(({ message }) => message.startsWith('Permission denied;'));
    assert.equal(refusal?.fields['num_registered_entries'], 1);
    assert.equal(refusal?.fields['default_id'], 'spiffe://cache.test/other');
  });

  test('how long the first identity took is told, once', async () => {
    const { deps, call, tell, emitted, clock } = place();
    const answers = subscribeToX509Svids(deps, target, call);
    const web = authorizedEntry('web', ['a:b']);
    for (const [pause, entries] of [
      [1, []],
      [2, [web]],
      [4, [web]],
    ] as const) {
      const answer = nextOf(answers);
      await new Promise(setImmediate);
      await clock.advance({ seconds: pause });
      tell(...entries);
      await answer;
    }
    const last = nextOf(answers);
    tell(web);
    await last;
    assert.deepEqual(emitted, [
      ['sample', 'delegated_identity_api.subscribe_x509_svids.first_update.elapsed_time', 3000, {}],
    ]);
  });

  const refusals: readonly [why: string, request: typeof target, expected: object][] = [
    [
      'neither selectors nor a process',
      { selectors: [], pid: 0 },
      {
        kind: 'invalid',
        message: 'must provide either selectors or non-zero PID, but not both',
      },
    ],
    ['both', { ...target, pid: 1 }, { kind: 'invalid' }],
    [
      'a malformed selector',
      { selectors: [{ type: 'a:b', value: 'c' }], pid: 0 },
      { kind: 'invalid', message: 'could not parse provided selectors' },
    ],
    [
      'a process that cannot be looked at',
      { selectors: [], pid: 7 },
      { kind: 'unavailable', message: 'workload attestation failed' },
    ],
  ];
  for (const [why, request, expected] of refusals) {
    test(`refuses ${why}`, async () => {
      const { deps, call } = place();
      await assert.rejects(nextOf(subscribeToX509Svids(deps, request, call)), expected);
    });
  }

  test('who is refused is so before anything is said of the request', async () => {
    const { deps, call, state } = place();
    state.callerEntries = [];
    const request = { selectors: [], pid: 0 };
    await assert.rejects(nextOf(subscribeToX509Svids(deps, request, call)), {
      kind: 'denied',
      message: 'no identity issued',
    });
  });

  test('a caller that leaves while its process is looked at is told why', async () => {
    const { deps, call } = place();
    const gone = AbortSignal.abort(new Fault('canceled', 'gone'));
    const leaving = { ...call, signal: gone };
    const request = { selectors: [], pid: 7 };
    await assert.rejects(nextOf(subscribeToX509Svids(deps, request, leaving)), { message: 'gone' });
  });
});

describe('the stream of bundles', () => {
  const first = async ({ deps, call, bundles }: Place) => {
    const answers = subscribeToX509Bundles(deps, call);
    bundles.deliver([emptyBundle(own), emptyBundle(partner)]);
    const { value } = await answers.next();
    return { answers, told: Object.keys(value?.caCertificates ?? {}) };
  };

  test('keeps a trust domain that goes away', async () => {
    const here = place();
    const { answers, told } = await first(here);
    assert.deepEqual(told, ['spiffe://cache.test', 'spiffe://b.test']);
    here.bundles.deliver([emptyBundle(own)]);
    const { value } = await answers.next();
    assert.deepEqual(Object.keys(value?.caCertificates ?? {}), told);
  });

  test('ends at the next message once the caller is no delegate any more', async () => {
    const here = place();
    const { answers } = await first(here);
    here.state.callerEntries = [];
    here.bundles.deliver([emptyBundle(own)]);
    await assert.rejects(answers.next(), { kind: 'denied', message: 'no identity issued' });
    assert.equal(here.state.left, 1);
  });
});
