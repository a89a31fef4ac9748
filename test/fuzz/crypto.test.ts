/**
 * Every decoder of `crypto/` gets valid inputs with a few things wrong: it answers with a value or refuses with a Fault,
 * quickly. `FUZZ_COUNT` says how many inputs in all, `FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { parseCsr, verifyCsr } from '../../src/crypto/csr.ts';
import { parseJws, verifyJws } from '../../src/crypto/jose/jws.ts';
import { decoders, signed } from './crypto-decoders.ts';
import { mutate, randomFrom } from './mutate.ts';
import { mutateDer } from './mutate-der.ts';

const COUNT = Number(process.env['FUZZ_COUNT'] ?? 200_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);

/** No input of these sizes may take so long, twice in a row. */
const SLOW_MILLISECONDS = 100;

const weights = Object.values(decoders).reduce((sum, { weight = 1 }) => sum + weight, 0);
const share = Math.ceil(COUNT / weights);

for (const [name, { seeds, isDer, weight = 1, decode }] of Object.entries(decoders)) {
  test(`${name}: the seeds are accepted`, () => {
    for (const seed of seeds) decode(seed);
  });

  test(`${name}: a value or a refusal, for every changed input`, (t) => {
    const random = randomFrom(SEED);
    const count = Math.ceil(share * weight);
    let accepted = 0;
    for (let i = 0; i < count; i++) {
      const input = isDer && i % 2 === 0 ? mutateDer(seeds, random) : mutate(seeds, random);
      const started = performance.now();
      if (answers(decode, input)) accepted++;
      if (performance.now() - started < SLOW_MILLISECONDS) continue;
      const again = performance.now();
      answers(decode, input);
      assert.ok(performance.now() - again < SLOW_MILLISECONDS, `slow: ${hex(input)}`);
    }
    t.diagnostic(`${count} inputs, ${accepted} accepted, seed ${SEED}`);
    assert.ok(accepted < count, 'everything was accepted');
  });
}

/** Whether the input was accepted. Fails for an answer that is neither a value nor a refusal. */
function answers(decode: (input: Uint8Array) => void, input: Uint8Array): boolean {
  try {
    decode(input);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.kind === 'invalid') return false;
    throw new Error(`seed ${SEED}, input ${hex(input)}`, { cause: error });
  }
}

const hex = (input: Uint8Array): string => Buffer.from(input).toString('hex');

/** Verifying is slower by an order of magnitude than reading. */
const FORGERIES = Math.min(3000, share);

test('no changed request verifies', async () => {
  const random = randomFrom(SEED);
  const originals = signed.csrs.map(hex);
  let read = 0;
  for (let i = 0; i < FORGERIES; i++) {
    const input = mutate(signed.csrs, random);
    if (originals.includes(hex(input)) || !answers(parseCsr, input)) continue;
    read++;
    await assert.rejects(verifyCsr(parseCsr(input)), { kind: 'invalid' }, hex(input));
  }
  assert.ok(read > 0);
});

test('no changed token verifies', async () => {
  const random = randomFrom(SEED);
  const token = new Uint8Array(Buffer.from(signed.token));
  let read = 0;
  for (let i = 0; i < FORGERIES; i++) {
    const changed = Buffer.from(mutate([token], random)).toString('latin1');
    if (changed === signed.token || !answers(() => parseJws(changed), token)) continue;
    read++;
    assert.equal(await verifyJws(parseJws(changed), signed.key.publicKey), false, changed);
  }
  assert.ok(read > 0);
});
