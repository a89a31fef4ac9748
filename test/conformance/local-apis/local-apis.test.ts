import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { JsonValue } from '@bufbuild/protobuf';
import { Debug } from '../../../src/wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { DelegatedIdentity } from '../../../src/wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import { Logger } from '../../../src/wire/gen/spire/api/agent/logger/v1/logger_pb.ts';
import { ask, type Outcome } from './ask.ts';
import { beyondCases } from './beyond-cases.ts';
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
  cases.filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix)) && !isBeyond(name));
const isBeyond = (name: string) => beyondCases.some(({ names }) => names.includes(name));

/** How the names begin of those that are played, in this order. */
const PLAYED = {
  beforeEntries: ['admin, before any entry: '],
  beforeDelegate: ["admin, before the delegate's entry: "],
  own: ['workload: ', 'public: ', 'sds'],
  strangers: ['stranger workload: ', 'stranger public: ', 'stranger sds: '],
  admin: ['admin: '],
  strangersAdmin: ['stranger admin: '],
  late: ['late entry: '],
  removal: ['late entry removed, '],
};

/** Cases of the admin socket whose answers depend on what was asked before; each in its turn. */
const inTurn = [
  'admin: GetLogger',
  ...['unspecified', '99', 'PANIC', 'FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'].map(
    (level) => `admin: SetLogLevel, ${level}`,
  ),
  'admin: GetLogger after SetLogLevel',
  'admin: ResetLogLevel',
  'admin: GetLogger after ResetLogLevel',
];
const AT_THE_END = 'admin: GetInfo at the end';

test('every case is played, or is surpassed', () => {
  const played = select(...Object.values(PLAYED).flat());
  const beyond = cases.filter(([name]) => isBeyond(name));
  assert.equal(beyond.length, beyondCases.flatMap(({ names }) => names).length);
  assert.equal(played.length + beyond.length, cases.length);
  for (const name of [...inTurn, AT_THE_END]) {
    assert.ok(
      cases.some(([other]) => other === name),
      name,
    );
  }
});

test('the local APIs answer as SPIRE does', async (t) => {
  const playAll = async (
    world: World,
    prefixes: readonly string[],
    address: (expected: Case) => string,
  ) => {
    for (const [name, expected] of select(...prefixes)) {
      await t.test(name, () => check(world, address(expected), expected));
    }
  };
  await using world = await startWorld({
    beforeEntries: (early) => playAll(early, PLAYED.beforeEntries, () => early.adminAddress),
    beforeDelegate: (early) => playAll(early, PLAYED.beforeDelegate, () => early.adminAddress),
  });
  await playAll(world, PLAYED.own, () => world.address);
  const { strangersAddress } = world;
  const skip = strangersAddress === undefined && 'only root can start processes of other users';
  for (const [name, expected] of select(...PLAYED.strangers)) {
    await t.test(name, { skip }, () => check(world, strangersAddress ?? '', expected));
  }
  for (const [name, { code }] of select(...PLAYED.strangersAdmin)) {
    await t.test(name, { skip }, async () => {
      assert.equal(code, 'cannot connect');
      assert.equal(await world.connectAsStranger(), 'EACCES');
    });
  }
  const last = new Set([...inTurn, AT_THE_END]);
  for (const [name, expected] of select(...PLAYED.admin).filter(([one]) => !last.has(one))) {
    const needsOther = JSON.stringify(expected.requests).includes('<pid>');
    await t.test(name, { skip: needsOther && skip }, () =>
      check(world, world.adminAddress, expected),
    );
  }
  for (const name of inTurn) {
    const [, expected] = cases.find(([one]) => one === name) ?? assert.fail(name);
    await t.test(name, () => check(world, world.adminAddress, expected));
  }
  await world.addLateEntry();
  await playAll(world, PLAYED.late, (expected) => addressOf(world, expected));
  await world.removeLateEntry();
  await t.test('an entry that comes and goes under open streams', (removal) =>
    playRemoval(removal, world),
  );
  const [, atTheEnd] = cases.find(([one]) => one === AT_THE_END) ?? assert.fail(AT_THE_END);
  await t.test(AT_THE_END, { skip }, () => check(world, world.adminAddress, atTheEnd));
});

/** Where cases are played that do not say it by their names. */
const addressOf = (world: World, { call }: Case): string =>
  ADMIN_SERVICES.some((service) => call.startsWith(`${service}/`))
    ? world.adminAddress
    : world.address;

const ADMIN_SERVICES = [DelegatedIdentity, Debug, Logger].map(({ typeName }) => typeName);

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
    played.map(async ([, expected]) =>
      ask(addressOf(world, expected), {
        call: expected.call,
        headers: headersOf(expected),
        requests: await filled(expected.requests.slice(0, 1), world),
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
  const requests = await filled(expected.requests, world);
  const headers = headersOf(expected);
  const play = isPlayed(expected) ? playStream : ask;
  const outcome = await play(address, { call: expected.call, headers, requests });
  compare(outcome, expected, expected.responses ?? [], world);
}

/** Whether the answers are recorded request by request. */
const isPlayed = ({ responses = [] }: Case): boolean => responses.some(Array.isArray);

const headersOf = ({ headers = ['true'] }: Case): readonly string[] =>
  headers.filter((value) => value !== '<none>');

const filled = (requests: readonly JsonValue[], world: World): Promise<JsonValue[]> =>
  Promise.all(requests.map((request) => fill(request, world)));

async function fill(request: JsonValue, world: World): Promise<JsonValue> {
  if (request === '<own pid>') return process.pid;
  if (request === '<pid>') return world.othersPid ?? assert.fail('no process of another user');
  if (typeof request === 'string') return request.replace('<own>', String(process.getuid?.()));
  if (Array.isArray(request)) return Promise.all(request.map((one) => fill(one, world)));
  if (typeof request !== 'object' || request === null) return request;
  const members = await Promise.all(
    Object.entries(request as object).map(async ([name, value]) => [
      name,
      isTokenMark(value) ? await tokenOf(value, world) : await fill(value as JsonValue, world),
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
