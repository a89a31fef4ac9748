/**
 * Every method of the server's API gets messages that its descriptor allows, and damaged ones, from every kind of
 * caller, through the real handlers: it answers or refuses with a Fault that names no inside, soon, and what is in memory
 * is what is stored. `FUZZ_COUNT` says how many messages in all, `FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type DescMessage, fromBinary, type Message } from '@bufbuild/protobuf';
import { Fault } from '../../src/base/fault.ts';
import { silentLog } from '../../src/ops/log.ts';
import { type BoundMethod, methodPath, serializer } from '../../src/rpc/service.ts';
import type { Call } from '../../src/server/api/call.ts';
import type { Caller } from '../../src/server/api/caller.ts';
import { serverServices } from '../../src/server/api/services.ts';
import { createRegistry } from '../../src/server/registry/create-registry.ts';
import { agentCaller, testCall } from '../kit/api-call.ts';
import { ApiWorld } from '../kit/api-world.ts';
import { rootAuthority } from '../kit/certificates.ts';
import { mutate, randomFrom } from './mutate.ts';
import { randomMessage, type Vocabulary } from './random-message.ts';

const COUNT = Math.ceil(Number(process.env['FUZZ_COUNT'] ?? 200_000) / 80);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const random = randomFrom(SEED);

/** No call takes so long, whatever is in it, on the slowest machine. */
const PATIENCE_MILLISECONDS = 10_000;
/** Streams that stay open are ended by their caller after so long. */
const STREAM_MILLISECONDS = 20;

const world = new ApiWorld();
const known: { texts: string[]; bytes: Uint8Array[] } & Vocabulary = { texts: [], bytes: [] };

before(async () => {
  await world.open({ witKeyType: 'ec-p256' });
  await stock();
});
after(() => world.close());

const WORDS = `example.org spiffe://example.org b.test spiffe://b.test c.test new.test /a /b /c /x/y
  /spire/agent/plain /spire/agent/banned /spire/server entry-0 entry-1 entry-2 token join_token x509pop
  unix uid:1000 https://b.test/bundle http://b.test https://u:p@b.test https://[::1]:443/ 1 ES256 kid hint
  spiffe://b.test/spire/server a.example.org 2026-01-01T00:00:00Z 1.16.0`;

/** What there is in the world, and the words that name it. */
async function stock(): Promise<void> {
  const root = await rootAuthority('root');
  const key = await world.key();
  await world.bundle('b.test', {
    x509Authorities: [{ der: root.certificate.der, tainted: false }],
  });
  await world.bundle('c.test');
  const agent = await world.agent('plain');
  await world.agent('banned', { serialNumber: '' });
  const ids = ['/a', '/b', '/c'].map((path) => world.id(path));
  for (const [index, spiffeId] of ids.entries()) {
    await world.entry({ id: `entry-${index}`, spiffeId, parentId: agent.id, admin: index === 0 });
  }
  await world.deps.joinTokens.create({ token: 'token', expiresAt: 4_000_000_000 });
  const authorities = world.ownBundle.jwtAuthorities.map(({ keyId }) => keyId);
  known.texts.push(...WORDS.split(/\s+/), ...authorities);
  known.bytes.push(
    root.certificate.der,
    key.publicKey.spki,
    await world.csr({ uris: [ids[0]!.toString()] }),
    await world.csr({ uris: ['spiffe://b.test/x'], dnsNames: ['a.example.org'] }),
    new Uint8Array(Buffer.from('token')),
    new Uint8Array(),
  );
}

/** Everybody whom an interceptor might have let through. */
const callers = (): Caller[] => [
  { kind: 'local' },
  { kind: 'nobody' },
  agentCaller(world.id('/spire/agent/plain')),
  agentCaller(world.id('/spire/agent/gone')),
  { kind: 'admin', id: world.id('/a'), via: 'entries' },
  { kind: 'downstream', id: world.id('/b'), entries: [] },
];

test('every method answers or refuses, whatever it is sent', async (t) => {
  const methods = serverServices(world.deps).local.flatMap((service) => service.methods);
  const outcomes = { answered: 0, refused: 0, unreadable: 0 };
  for (let turn = 0; turn < COUNT; turn++) {
    const method = methods[turn % methods.length];
    assert.ok(method);
    const list = callers();
    const caller = list[random(list.length)] ?? { kind: 'local' };
    const requests = Array.from({ length: 1 + random(3) }, () => readable(method.desc.input));
    const messages = requests.filter((message) => message !== undefined);
    outcomes.unreadable += requests.length - messages.length;
    if (messages.length === 0) continue;
    outcomes[await callOnce(method, messages, caller)]++;
  }
  t.diagnostic(`${JSON.stringify(outcomes)}, seed ${SEED}`);
  assert.ok(outcomes.answered > 0 && outcomes.refused > 0);
  await checkMemory();
});

/** What the decoder makes of a message that may be damaged; undefined where it refuses it. */
function readable(schema: DescMessage): Message | undefined {
  const bytes = randomMessage(schema, random, known);
  const sent = random(3) === 0 ? mutate([bytes], random) : bytes;
  try {
    return fromBinary(schema, sent);
  } catch (error) {
    assert.ok(error instanceof Error, 'what a decoder throws');
    return undefined;
  }
}

async function callOnce(
  { desc, handle }: BoundMethod<Call>,
  messages: readonly Message[],
  caller: Caller,
): Promise<'answered' | 'refused'> {
  const over = new AbortController();
  const call = testCall({ caller, signal: over.signal });
  const path = methodPath(desc);
  const streams = desc.methodKind === 'bidi_streaming' || desc.methodKind === 'client_streaming';
  const input = streams ? streamOf(messages, over.signal) : messages[0];
  const describe = () => `seed ${SEED}: ${path} by ${caller.kind} with ${textOf(messages)}`;
  const closing = streams || desc.methodKind !== 'unary';
  const timer = closing
    ? setTimeout(() => over.abort(new Fault('canceled', 'over')), STREAM_MILLISECONDS)
    : undefined;
  const late = pause(PATIENCE_MILLISECONDS, 'late', { ref: false });
  try {
    const outcome = await Promise.race([answers({ desc, handle }, input, call), late]);
    assert.notEqual(outcome, 'late', describe());
    for (const text of outcome as string[]) assertPlain(text, describe);
    return 'answered';
  } catch (error) {
    if (!(error instanceof Fault)) throw new Error(describe(), { cause: error });
    assertPlain(error.message, describe);
    assert.notEqual(error.kind, 'unknown', describe());
    return 'refused';
  } finally {
    clearTimeout(timer);
    over.abort(new Fault('canceled', 'over'));
  }
}

/** Takes all answers and serialises them, as a listener would. Resolves with the words of statuses in them. */
async function answers(
  { desc, handle }: BoundMethod<Call>,
  input: unknown,
  call: Call,
): Promise<string[]> {
  const serialize = serializer(desc.output);
  const texts: string[] = [];
  const take = (answer: unknown) => {
    const message = fromBinary(desc.output, serialize(answer as never)) as { results?: unknown };
    if (!Array.isArray(message.results)) return;
    for (const { status } of message.results as { status?: { message: string } }[]) {
      texts.push(status?.message ?? '');
    }
  };
  const outcome = handle(input, call);
  if (desc.methodKind === 'unary' || desc.methodKind === 'client_streaming') take(await outcome);
  else for await (const answer of outcome as AsyncIterable<unknown>) take(answer);
  return texts;
}

async function* streamOf(messages: readonly Message[], signal: AbortSignal) {
  yield* messages;
  await pause(STREAM_MILLISECONDS / 2);
  signal.throwIfAborted();
}

/** Words of a program's inside, which a caller can do nothing with. */
const INSIDE =
  /undefined|\[object|is not a function|not iterable|Cannot |TypeError|RangeError|ERR_|Invalid array|BigInt|NaN|node_modules|file:\/\//;

function assertPlain(text: string, describe: () => string): void {
  // What a caller wrote comes back in refusals.
  assert.doesNotMatch(text.slice(0, 300), INSIDE, describe());
}

const textOf = (messages: readonly Message[]): string =>
  JSON.stringify(messages, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex').slice(0, 4000);
    return typeof value === 'string' ? value.slice(0, 400) : value;
  });

/** A server that starts now would know what this one knows. */
async function checkMemory(): Promise<void> {
  const { trustDomain, datastore, deps } = world;
  const fresh = await createRegistry({ datastore, trustDomain, log: silentLog });
  for (const part of ['entries', 'agents', 'bundles'] as const) {
    assert.deepEqual(deps[part].rows(), fresh[part].rows(), part);
  }
  assert.deepEqual(deps.relationships.rows(), fresh.relationships.rows());
}
