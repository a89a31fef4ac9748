import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newAgent } from '../../../test/kit/datastore.ts';
import type { Agent } from '../../spiffe/agent.ts';
import { parseSelector, selectorText } from '../../spiffe/selector.ts';
import type { AgentStore } from '../datastore/contract.ts';
import { MemoryAgents } from './agent-registry.ts';
import type { AgentFilter, SetMatch } from './contract.ts';

/** Nothing here writes. */
const store = {} as AgentStore;

function agentsOf(...agents: readonly Agent[]): MemoryAgents {
  const memory = new MemoryAgents({ store, changed() {}, entriesDeleted() {} });
  for (const [index, value] of agents.entries()) memory.put({ rowId: index + 1, value });
  return memory;
}

const named = (name: string, fields: Parameters<typeof newAgent>[0]) =>
  newAgent({ id: `/spire/agent/${name}`, ...fields });

const agents = agentsOf(
  named('a', { selectors: ['k:a'], expiresAt: 10 }),
  named('ab', { selectors: ['k:a', 'k:b'], attestationType: 'join_token', canReattest: false }),
  named('banned', { serialNumber: '', expiresAt: 20 }),
  named('none', { canReattest: false, expiresAt: 30 }),
);

const set = (...texts: string[]) => texts.map(parseSelector);

const rows: readonly [filter: AgentFilter, names: string[]][] = [
  [{}, ['a', 'ab', 'banned', 'none']],
  [{ attestationType: 'join_token' }, ['ab']],
  [{ attestationType: '' }, []],
  [{ banned: true }, ['banned']],
  [{ banned: false }, ['a', 'ab', 'none']],
  [{ canReattest: true }, ['a', 'banned']],
  [{ canReattest: false }, ['ab', 'none']],
  [{ expiresBeforeUnixSeconds: 20 }, ['a']],
  [{ expiresBeforeUnixSeconds: 21 }, ['a', 'banned']],
  [{ selectors: { match: 'exact', set: set('k:a') } }, ['a']],
  [{ selectors: { match: 'subset', set: set('k:a', 'k:b', 'k:c') } }, ['a', 'ab']],
  [{ selectors: { match: 'superset', set: set('k:a') } }, ['a', 'ab']],
  [{ selectors: { match: 'any', set: set('k:b', 'k:c') } }, ['ab']],
  [{ selectors: { match: 'any', set: set('k:a') }, banned: false, canReattest: false }, ['ab']],
];
for (const [filter, names] of rows) {
  test(`agents by ${JSON.stringify(filter)}: ${names.join(' ') || 'none'}`, () => {
    assert.deepEqual(
      agents.select(filter).map(({ value }) => value.id.path.slice('/spire/agent/'.length)),
      names,
    );
  });
}

test('an empty selector set is refused', () => {
  assert.throws(() => agents.select({ selectors: { match: 'any', set: [] } }), {
    kind: 'invalid',
    message: 'cannot list by empty selectors set',
  });
});

test('others are told of an agent that is new, has other selectors or is gone, and of no renewal', () => {
  const told: string[] = [];
  const memory = new MemoryAgents({
    store,
    changed: (id, agent) => told.push(`${id.path} ${agent?.selectors.length}`),
    entriesDeleted() {},
  });
  const agent = named('a', { selectors: ['k:a', 'k:b'] });
  memory.put({ rowId: 1, value: agent });
  memory.put({ rowId: 1, value: named('a', { selectors: ['k:b', 'k:a'], serialNumber: '2' }) });
  memory.put({ rowId: 1, value: named('a', { selectors: ['k:b'] }) });
  memory.forget([agent.id]);
  memory.forget([agent.id]);
  assert.deepEqual(told, ['/spire/agent/a 2', '/spire/agent/a 1', '/spire/agent/a undefined']);
});

const texts = ['k:1', 'k:2', 'k:3'];
const change = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  gone: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
  selectors: fc.subarray(texts),
});

test('after any changes, a selector filter finds what a scan finds', () => {
  const matches = fc.constantFrom<SetMatch>('exact', 'subset', 'superset', 'any');
  const filters = fc.subarray(texts, { minLength: 1 });
  fc.assert(
    fc.property(
      fc.array(change, { size: 'max', maxLength: 20 }),
      matches,
      filters,
      (steps, match, filter) => {
        const memory = agentsOf();
        for (const { name, gone, selectors } of steps) {
          const value = named(name, { selectors });
          if (gone) memory.forget([value.id]);
          else memory.put({ rowId: name.charCodeAt(0), value });
        }
        const holds = (own: string[]) => {
          const within = own.every((one) => filter.includes(one));
          const contains = filter.every((one) => own.includes(one));
          if (match === 'exact') return within && contains;
          if (match === 'subset') return own.length > 0 && within;
          return match === 'superset' ? contains : own.some((one) => filter.includes(one));
        };
        assert.deepEqual(
          memory.select({ selectors: { match, set: set(...filter) } }),
          memory.rows().filter(({ value }) => holds(value.selectors.map(selectorText))),
        );
      },
    ),
    { numRuns: 300 },
  );
});
