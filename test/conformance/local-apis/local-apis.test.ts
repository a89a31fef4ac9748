import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { ask, type Outcome } from './ask.ts';
import { beyondCases } from './beyond-cases.ts';
import { laterCases } from './later-cases.ts';
import { marked } from './marks.ts';
import { playStream } from './play-stream.ts';
import { isTokenMark, tokenOf } from './tokens.ts';
import { startWorld, type World } from './world.ts';

type Case = {
  readonly call: string;
  readonly headers?: readonly string[];
  readonly requests: readonly JsonValue[];
  readonly code: string;
  readonly message?: string;
  readonly message_free?: boolean;
  readonly responses?: readonly JsonValue[];
};

const cases = Object.entries(
  JSON.parse(readFileSync(join(import.meta.dirname, 'local-apis.json'), 'utf8')) as Record<
    string,
    Case
  >,
);
/** What there is to be played of the cases whose names begin so. */
const select = (...prefixes: string[]) =>
  cases.filter(
    ([name, { call }]) =>
      prefixes.some((prefix) => name.startsWith(prefix)) && !isLater(name, call) && !isBeyond(name),
  );
const isBeyond = (name: string) => beyondCases.some(({ names }) => names.includes(name));
const isLater = (name: string, call: string) => laterCases.some(({ isOne }) => isOne(name, call));

/** How the names begin of those that are played, in this order. */
const PLAYED = {
  own: ['workload: ', 'public: ', 'sds'],
  strangers: ['stranger workload: ', 'stranger public: ', 'stranger sds: '],
  late: ['late entry: '],
  removal: ['late entry removed, '],
};

test('every case is played, or waits for a later issue, or is surpassed', () => {
  const played = select(...Object.values(PLAYED).flat());
  const later = cases.filter(([name, { call }]) => isLater(name, call));
  const beyond = cases.filter(([name]) => isBeyond(name));
  assert.equal(beyond.length, beyondCases.flatMap(({ names }) => names).length);
  assert.equal(played.length + later.length + beyond.length, cases.length);
  for (const { why, isOne } of laterCases) {
    assert.ok(
      cases.some(([name, { call }]) => isOne(name, call)),
      `no case waits because ${why}`,
    );
  }
});

test('the Workload API, health and reflection answer as SPIRE does', async (t) => {
  await using world = await startWorld();
  for (const [name, expected] of select(...PLAYED.own)) {
    await t.test(name, () => check(world, world.address, expected));
  }
  const { strangersAddress } = world;
  const skip = strangersAddress === undefined && 'only root can start processes of other users';
  for (const [name, expected] of select(...PLAYED.strangers)) {
    await t.test(name, { skip }, () => check(world, strangersAddress ?? '', expected));
  }
  await world.addLateEntry();
  for (const [name, expected] of select(...PLAYED.late)) {
    await t.test(name, () => check(world, world.address, expected));
  }
  await world.removeLateEntry();
  await t.test('an entry that comes and goes under open streams', (removal) =>
    playRemoval(removal, world),
  );
});

/** The streams are open together, so that those which say nothing have had as long for it as the one that does. */
async function playRemoval(t: TestContext, world: World): Promise<void> {
  await world.addLateEntry();
  const open = Promise.withResolvers<void>();
  const played = select(...PLAYED.removal);
  let waiting = played.length;
  const afterFirst = async () => {
    waiting -= 1;
    if (waiting === 0) {
      await world.removeLateEntry();
      open.resolve();
    }
    await open.promise;
  };
  const outcomes = await Promise.all(
    played.map(([, expected]) =>
      ask(world.address, {
        call: expected.call,
        headers: headersOf(expected),
        requests: expected.requests.slice(0, 1),
        afterFirst,
        quietMilliseconds: SEVERAL_SYNCHRONISATIONS_MILLISECONDS,
      }),
    ),
  );
  for (const [index, [name, expected]] of played.entries()) {
    const outcome = outcomes[index] ?? assert.fail();
    // One list of answers before the entry goes, and one after.
    const responses = ((expected.responses ?? []) as JsonValue[][]).flat();
    await t.test(name, () => {
      compare(outcome, expected, responses, world);
    });
  }
}

/** The agent of this test synchronises every fifth of a second. */
const SEVERAL_SYNCHRONISATIONS_MILLISECONDS = 800;

async function check(world: World, address: string, expected: Case): Promise<void> {
  const requests = await Promise.all(expected.requests.map((request) => fill(request, world)));
  const headers = headersOf(expected);
  const play = isPlayed(expected) ? playStream : ask;
  const outcome = await play(address, { call: expected.call, headers, requests });
  compare(outcome, expected, expected.responses ?? [], world);
}

/** Whether the answers are recorded request by request. */
const isPlayed = ({ responses = [] }: Case): boolean => responses.some(Array.isArray);

const headersOf = ({ headers = ['true'] }: Case): readonly string[] =>
  headers.filter((value) => value !== '<none>');

async function fill(request: JsonValue, world: World): Promise<JsonValue> {
  if (typeof request !== 'object') return request;
  const members = await Promise.all(
    Object.entries(request as object).map(async ([name, value]) => [
      name,
      isTokenMark(value) ? await tokenOf(value, world) : (value as JsonValue),
    ]),
  );
  return Object.fromEntries(members) as JsonValue;
}

function compare(
  outcome: Outcome,
  expected: Case,
  responses: readonly JsonValue[],
  { authorities }: World,
): void {
  assert.equal(outcome.code, expected.code, outcome.message);
  // What goes well carries no message in SPIRE; grpc-js adds its own, which no client looks at.
  if (expected.code !== 'OK' && expected.message_free !== true) {
    assert.equal(outcome.message, expected.message ?? '');
  }
  assert.deepEqual(marked([...outcome.responses], authorities), responses);
}
