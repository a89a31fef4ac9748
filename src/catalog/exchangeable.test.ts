import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeable } from './exchangeable.ts';

type Door = AsyncDisposable & {
  readonly name: string;
  open(by: string): Promise<string>;
  knock(): string;
  visitors(): AsyncIterable<string>;
};

/** A door that notes when it is taken away, and opens when told to. */
function door(name: string, ended: string[]) {
  const opening = Promise.withResolvers<void>();
  const value: Door = {
    name,
    async open(by) {
      await opening.promise;
      return `${name} for ${by}`;
    },
    knock() {
      if (name === 'broken') throw new Error('no knocker');
      return `knock ${this.name}`;
    },
    async *visitors() {
      yield `${name} 1`;
      yield `${name} 2`;
    },
    async [Symbol.asyncDispose]() {
      ended.push(name);
      if (name === 'stuck') throw new Error('stuck');
    },
  };
  return { value, open: () => opening.resolve() };
}

function world(first: string, answersLiveOn = false) {
  const ended: string[] = [];
  const failures: unknown[] = [];
  const before = door(first, ended);
  const held = exchangeable(before.value, {
    answersLiveOn,
    onFailure: (error) => failures.push(error),
    ending: async (end) => {
      ended.push('ending');
      await end();
    },
  });
  return { ended, failures, before, held, door: (name: string) => door(name, ended) };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('calls go to the implementation of their moment, and the former one ends with its last call', async () => {
  const { ended, before, held, door } = world('old');
  const { contract } = held;
  const entering = contract.open('Ann');
  const next = door('new');
  held.exchange(next.value);
  assert.equal(contract.name, 'new');
  assert.equal(contract.knock(), 'knock new');
  await settled();
  assert.deepEqual(ended, []);
  before.open();
  assert.equal(await entering, 'old for Ann');
  await settled();
  assert.deepEqual(ended, ['old']);
});

test('what was taken out of it follows too', async () => {
  const { held, door } = world('old');
  const { contract } = held;
  const taken = { ...contract };
  assert.deepEqual(Object.keys(taken), ['name', 'open', 'knock', 'visitors']);
  held.exchange(door('new').value);
  assert.equal(taken.knock(), 'knock new');
  assert.equal('knock' in contract, true);
  assert.equal('ring' in contract, false);
});

test('one without calls ends at once', async () => {
  const { ended, held, door } = world('old');
  held.exchange(door('new').value);
  await settled();
  assert.deepEqual(ended, ['old']);
});

test('a stream that is being read is a call, until its reader has enough', async () => {
  const { ended, held, door } = world('old');
  const seen: string[] = [];
  for await (const visitor of held.contract.visitors()) {
    seen.push(visitor);
    held.exchange(door('new').value);
    await settled();
    assert.deepEqual(ended, []);
    break;
  }
  await settled();
  assert.deepEqual([seen, ended], [['old 1'], ['old']]);
});

test('a call that throws is over', async () => {
  const { ended, held, door } = world('broken');
  assert.throws(() => held.contract.knock(), /no knocker/);
  held.exchange(door('new').value);
  await settled();
  assert.deepEqual(ended, ['broken']);
});

test('where answers live on, a former implementation ends with the contract only', async () => {
  const { ended, held, door } = world('old', true);
  held.exchange(door('new').value);
  await settled();
  assert.deepEqual(ended, []);
  await held.contract[Symbol.asyncDispose]();
  assert.deepEqual(ended, ['ending', 'old', 'new']);
});

test('one that cannot be ended is told of', async () => {
  const { failures, held, door } = world('stuck');
  held.exchange(door('new').value);
  await settled();
  assert.match(String(failures[0]), /stuck/);
  held.exchange(door('stuck').value);
  await assert.rejects(async () => held.contract[Symbol.asyncDispose](), /stuck/);
});
