import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary } from '@bufbuild/protobuf';
import { agentCaller, type Init, plainAgent, testCall } from '../../../../test/kit/api-call.ts';
import { Fault } from '../../../base/fault.ts';
import type { Entry } from '../../../spiffe/entry.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import {
  SyncAuthorizedEntriesRequestSchema,
  SyncAuthorizedEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { syncAuthorizedEntries } from './sync-authorized-entries.ts';

type Request = Init<typeof SyncAuthorizedEntriesRequestSchema>;

const entry = (id: string, revisionNumber = 0): Entry => ({
  id,
  spiffeId: SpiffeId.parse(`spiffe://example.org/${id}`),
  parentId: plainAgent.id,
  selectors: [{ type: 'unix', value: 'uid:1' }],
  x509SvidTtlSeconds: 0,
  jwtSvidTtlSeconds: 0,
  federatesWith: [],
  admin: false,
  downstream: false,
  expiresAt: 0,
  dnsNames: [],
  revisionNumber,
  storeSvid: false,
  hint: `hint of ${id}`,
  createdAt: 77,
  additionalAttributes: undefined,
});

/** Plays a stream: sends the requests one after the other, and returns what was answered, shortened. */
async function play(entries: readonly Entry[], requests: Request[], pageSize = 3) {
  async function* messages() {
    for (const request of requests) yield create(SyncAuthorizedEntriesRequestSchema, request);
  }
  const call = testCall({ caller: agentCaller(plainAgent.id) });
  const deps = { entries: { authorizedFor: () => entries }, pageSize };
  const answers: string[] = [];
  for await (const { bytes } of syncAuthorizedEntries(deps, messages(), call)) {
    const answer = fromBinary(SyncAuthorizedEntriesResponseSchema, bytes);
    answers.push(
      [
        ...answer.entries.map(({ id, hint }) => (hint === '' ? id : `${id}=${hint}`)),
        ...answer.entryRevisions.map(
          ({ id, revisionNumber, createdAt }) => `${id}@${revisionNumber}/${createdAt}`,
        ),
        ...(answer.more ? ['more'] : []),
      ].join(' '),
    );
  }
  return answers;
}

const revisionsOnly: Request = { outputMask: { revisionNumber: true } };
const five = ['e', 'd', 'c', 'b', 'a'].map((id, index) => entry(id, index));
const pages = ['e@0/77 d@1/77 c@2/77 more', 'b@3/77 a@4/77'];

test('few entries come whole, and that is all', async () => {
  assert.deepEqual(await play([entry('a'), entry('b')], [{}, { ids: ['a'] }]), [
    'a=hint of a b=hint of b',
  ]);
});

test('none come as one empty answer', async () => {
  assert.deepEqual(await play([], [{}]), ['']);
});

test('exactly a page of entries comes whole', async () => {
  assert.equal((await play(five.slice(0, 3), [revisionsOnly]))[0], 'e d c');
});

test('the mask of the first message holds for few entries', async () => {
  assert.deepEqual(await play([entry('a')], [revisionsOnly]), ['a']);
});

test('many come as pages of revisions', async () => {
  assert.deepEqual(await play(five, [{}]), pages);
});

test('whole entries are sorted by ID, and paged', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['b', 'e', 'a', 'd'] }]), [
    ...pages,
    'a b d more',
    'e',
  ]);
});

test('the first message has the last word on the mask', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['a'], outputMask: { hint: true } }]), [
    ...pages,
    'a',
  ]);
});

test('a full page says more only if there is more', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['a', 'b', 'c'] }]), [
    ...pages,
    'a b c',
  ]);
});

test('an ID asked for twice is answered twice', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['a', 'a'] }]), [...pages, 'a a']);
});

test('what is not authorised is left out', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['x', 'a', 'ü'] }]), [...pages, 'a']);
});

test('nothing found is one empty answer', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['x'] }, {}]), [...pages, '', '']);
});

test('one may ask as often as one likes', async () => {
  assert.deepEqual(await play(five, [revisionsOnly, { ids: ['a'] }, { ids: ['b'] }]), [
    ...pages,
    'a',
    'b',
  ]);
});

const thenFail = (error: Error) => {
  const first = create(SyncAuthorizedEntriesRequestSchema, revisionsOnly);
  async function* messages() {
    yield first;
    throw error;
  }
  const call = testCall({ caller: agentCaller(plainAgent.id) });
  const deps = { entries: { authorizedFor: () => five }, pageSize: 3 };
  return Array.fromAsync(syncAuthorizedEntries(deps, messages(), call));
};

test('an agent that hangs up later has ended the stream well', async () => {
  assert.equal((await thenFail(new Fault('canceled', 'context canceled'))).length, 2);
});

test('any other end is a failure', async () => {
  const late = new Fault('deadline', 'context deadline exceeded');
  await assert.rejects(thenFail(late), late);
});

const refusals: [why: string, requests: Request[], kind: string, message: string][] = [
  [
    'IDs in the first message',
    [{ ids: ['a'] }],
    'invalid',
    'specifying IDs on initial request is not supported',
  ],
  [
    'a mask without revision number',
    [{ outputMask: { hint: true } }],
    'invalid',
    'revision number cannot be masked',
  ],
  ['a stream without messages', [], 'unknown', 'EOF'],
];
for (const [why, requests, kind, message] of refusals) {
  test(`refuses ${why}`, async () => {
    await assert.rejects(play(five, requests), { kind, message });
  });
}

test('nobody but an agent gets here', async () => {
  async function* none() {}
  const answers = syncAuthorizedEntries(
    { entries: { authorizedFor: () => five } },
    none(),
    testCall(),
  );
  await assert.rejects(answers.next(), {
    kind: 'internal',
    message: 'caller ID missing from request context',
  });
});
