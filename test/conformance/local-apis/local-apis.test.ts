import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { JsonValue } from '@bufbuild/protobuf';
import { ask, type Outcome } from './ask.ts';
import { marked } from './marks.ts';
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
const select = (...prefixes: string[]) =>
  cases.filter(
    ([name, { call }]) =>
      prefixes.some((prefix) => name.startsWith(prefix)) &&
      SERVED.some((service) => call.startsWith(service)),
  );

/** The services of the public socket so far; the other cases come with their APIs. */
const SERVED = ['SpiffeWorkloadAPI/', 'grpc.health.', 'grpc.reflection.'];

/** Envoy's secrets come with a later version; until then they are not among the services that are listed. */
const NOT_YET = { name: 'envoy.service.secret.v3.SecretDiscoveryService' };

test('the Workload API, health and reflection answer as SPIRE does', async (t) => {
  await using world = await startWorld();
  for (const [name, expected] of select('workload: ', 'public: ')) {
    await t.test(name, () => check(world, world.address, expected));
  }
  const { strangersAddress } = world;
  const skip = strangersAddress === undefined && 'needs root, and a Node that other users may run';
  for (const [name, expected] of select('stranger workload: ', 'stranger public: ')) {
    await t.test(name, { skip }, () => check(world, strangersAddress ?? '', expected));
  }
  await addLateEntry(world);
  for (const [name, expected] of select('late entry: ')) {
    await t.test(name, () => check(world, world.address, expected));
  }
  for (const [name, expected] of select('late entry removed, ')) {
    await addLateEntry(world);
    await t.test(name, () => checkRemoval(world, expected));
  }
});

async function check(world: World, address: string, expected: Case): Promise<void> {
  const requests = await Promise.all(expected.requests.map((request) => fill(request, world)));
  const headers = headersOf(expected);
  const outcome = await ask(address, { call: expected.call, headers, requests });
  compare(outcome, expected, expected.responses ?? []);
}

/** One list of answers before the entry goes, and one after. */
async function checkRemoval(world: World, expected: Case): Promise<void> {
  const outcome = await ask(world.address, {
    call: expected.call,
    headers: headersOf(expected),
    requests: expected.requests.slice(0, 1),
    async afterFirst() {
      await world.removeLateEntry();
      await pause(SEVERAL_SYNCHRONISATIONS_MILLISECONDS);
    },
  });
  compare(outcome, expected, ((expected.responses ?? []) as JsonValue[][]).flat());
}

/**
 * The agent of this test synchronises every fifth of a second. That it has heard of the late entry cannot be seen: an
 * older one has the same hint.
 */
const SEVERAL_SYNCHRONISATIONS_MILLISECONDS = 600;

async function addLateEntry(world: World): Promise<void> {
  await world.addLateEntry();
  await pause(SEVERAL_SYNCHRONISATIONS_MILLISECONDS);
}

const headersOf = ({ headers = ['true'] }: Case): readonly string[] =>
  headers.filter((value) => value !== '<none>');

async function fill(request: JsonValue, world: World): Promise<JsonValue> {
  const members = await Promise.all(
    Object.entries(request as object).map(async ([name, value]) => [
      name,
      isTokenMark(value) ? await tokenOf(value, world) : (value as JsonValue),
    ]),
  );
  return Object.fromEntries(members) as JsonValue;
}

function compare(outcome: Outcome, expected: Case, responses: readonly JsonValue[]): void {
  assert.equal(outcome.code, expected.code, outcome.message);
  // What goes well carries no message in SPIRE; grpc-js adds its own, which no client looks at.
  if (expected.code !== 'OK' && expected.message_free !== true) {
    assert.equal(outcome.message, expected.message ?? '');
  }
  assert.deepEqual(outcome.responses.map(marked), responses.map(withoutLater));
}

const withoutLater = (response: JsonValue): JsonValue =>
  JSON.parse(JSON.stringify(response).replace(`${JSON.stringify(NOT_YET)},`, '')) as JsonValue;
