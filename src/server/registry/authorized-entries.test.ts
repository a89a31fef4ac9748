import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newAgent, newEntry } from '../../../test/kit/datastore.ts';
import type { Agent } from '../../spiffe/agent.ts';
import type { Entry } from '../../spiffe/entry.ts';
import { parseSelector, selectorText } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { AuthorizedEntries } from './authorized-entries.ts';
import { EntryIndex } from './entry-index.ts';

const trustDomain = TrustDomain.parse('test');
const SERVER = '/spire/server';

/** An index and what rests on it, changed together as the registry does. */
class World {
  readonly index = new EntryIndex();
  readonly authorized = new AuthorizedEntries({ trustDomain, index: this.index });
  readonly agents = new Map<string, Agent>();
  #lastRow = 0;

  put(id: string, fields: Parameters<typeof newEntry>[0] = {}): Entry {
    const before = this.index.get(id);
    const rowId = before?.rowId ?? ++this.#lastRow;
    const revisionNumber = before === undefined ? 0 : before.value.revisionNumber + 1;
    const value = { ...newEntry({ ...fields, id }), revisionNumber, createdAt: 0 };
    this.index.put({ rowId, value });
    this.authorized.entryChanged(before?.value, value);
    return value;
  }

  remove(id: string): void {
    const before = this.index.get(id);
    if (before === undefined) return;
    this.index.remove(id);
    this.authorized.entryChanged(before.value, undefined);
  }

  attest(path: string, selectors: readonly string[] = []): SpiffeId {
    const agent = newAgent({ id: path, selectors });
    this.agents.set(agent.id.toString(), agent);
    return agent.id;
  }

  evict(path: string): void {
    const id = SpiffeId.of(trustDomain, path);
    this.agents.delete(id.toString());
    this.authorized.agentRemoved(id);
  }

  of(id: SpiffeId): readonly Entry[] {
    return this.authorized.of(id, this.agents.get(id.toString()));
  }

  idsOf(id: SpiffeId): string[] {
    return this.of(id)
      .map((entry) => entry.id)
      .sort();
  }
}

/** The rules as they are written (`reference/server.md` §9), with nothing remembered. */
function modelOf(entries: readonly Entry[], id: SpiffeId, agent: Agent | undefined): string[] {
  const ours = entries.filter(
    ({ spiffeId, parentId }) => spiffeId.memberOf(trustDomain) && parentId.memberOf(trustDomain),
  );
  const aliases = ours.filter(({ parentId }) => parentId.path === SERVER);
  const own = new Set(agent?.selectors.map(selectorText));
  const applies = ({ selectors }: Entry) =>
    selectors.length > 0 && selectors.every((selector) => own.has(selectorText(selector)));
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const entry of ours) {
      if (entry.parentId.path !== path || path === SERVER) continue;
      found.add(entry.id);
      visit(entry.spiffeId.path);
    }
  };
  visit(id.path);
  for (const alias of aliases.filter(applies)) visit(alias.spiffeId.path);
  return [...found].sort();
}

test('an agent may serve what is below it, all the way down', () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a');
  world.put('child', { parentId: '/spire/agent/a', spiffeId: '/child' });
  world.put('grandchild', { parentId: '/child', spiffeId: '/grandchild' });
  world.put('other', { parentId: '/spire/agent/b', spiffeId: '/other' });
  assert.deepEqual(world.idsOf(agent), ['child', 'grandchild']);
});

test('an alias applies to agents that have all its selectors, and is itself not served', () => {
  const world = new World();
  world.put('alias', { parentId: SERVER, spiffeId: '/group', selectors: ['k:a', 'k:b'] });
  world.put('workload', { parentId: '/group', spiffeId: '/workload' });
  assert.deepEqual(world.idsOf(world.attest('/spire/agent/all', ['k:b', 'k:c', 'k:a'])), [
    'workload',
  ]);
  assert.deepEqual(world.idsOf(world.attest('/spire/agent/some', ['k:a'])), []);
  assert.deepEqual(world.idsOf(world.attest('/spire/agent/none')), []);
});

test('an alias without selectors applies to nobody', () => {
  const world = new World();
  world.put('alias', { parentId: SERVER, spiffeId: '/group', selectors: [] });
  world.put('workload', { parentId: '/group' });
  assert.deepEqual(world.idsOf(world.attest('/spire/agent/a', ['k:a'])), []);
});

test('cycles end, and an entry reached in two ways is served once', () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a', ['k:a']);
  world.put('alias', { parentId: SERVER, spiffeId: '/x', selectors: ['k:a'] });
  world.put('to-x', { parentId: '/spire/agent/a', spiffeId: '/x' });
  world.put('x-y', { parentId: '/x', spiffeId: '/y' });
  world.put('y-x', { parentId: '/y', spiffeId: '/x' });
  world.put('y-y', { parentId: '/y', spiffeId: '/y' });
  assert.deepEqual(world.idsOf(agent), ['to-x', 'x-y', 'y-x', 'y-y']);
});

test('a chain is followed whatever its length', () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a');
  world.put('0', { parentId: '/spire/agent/a', spiffeId: '/0' });
  for (let depth = 1; depth < 20_000; depth++) {
    world.put(String(depth), { parentId: `/${depth - 1}`, spiffeId: `/${depth}` });
  }
  assert.equal(world.of(agent).length, 20_000);
});

test("an entry whose SPIFFE ID is the server's does not open the aliases", () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a');
  world.put('up', { parentId: '/spire/agent/a', spiffeId: SERVER });
  world.put('alias', { parentId: SERVER, spiffeId: '/group', selectors: ['k:a'] });
  assert.deepEqual(world.idsOf(agent), ['up']);
});

test('what lies outside the trust domain is ignored', () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a', ['k:a']);
  const foreign = SpiffeId.parse('spiffe://other/x');
  const put = (id: string, fields: Partial<Entry>) => {
    const value = {
      ...newEntry({ id, parentId: '/spire/agent/a' }),
      revisionNumber: 0,
      createdAt: 0,
      ...fields,
    };
    world.index.put({ rowId: Number(id), value });
    world.authorized.entryChanged(undefined, value);
  };
  put('1', { spiffeId: foreign });
  put('2', { parentId: foreign, spiffeId: SpiffeId.parse('spiffe://test/y') });
  put('3', {
    parentId: SpiffeId.server(trustDomain),
    spiffeId: foreign,
    selectors: [parseSelector('k:a')],
  });
  assert.deepEqual(world.idsOf(agent), []);
});

test('the answer stays the same array until something in it changes', () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a');
  world.put('child', { parentId: '/spire/agent/a', spiffeId: '/child' });
  const first = world.of(agent);
  assert.equal(world.of(agent), first);
  world.put('elsewhere', { parentId: '/spire/agent/b', spiffeId: '/elsewhere' });
  world.put('alias', { parentId: SERVER, spiffeId: '/group', selectors: ['k:a'] });
  assert.equal(world.of(agent), first);
  world.put('child', { parentId: '/spire/agent/a', spiffeId: '/child', hint: 'x' });
  assert.notEqual(world.of(agent), first);
  assert.equal(world.of(agent)[0]?.hint, 'x');
});

test('agents that differ in nothing but their name share one answer, also after a change', () => {
  const world = new World();
  world.put('alias', { parentId: SERVER, spiffeId: '/group', selectors: ['k:a'] });
  world.put('workload', { parentId: '/group', spiffeId: '/workload' });
  const agents = Array.from({ length: 100 }, (_, index) =>
    world.attest(`/spire/agent/${index}`, ['k:a', `k:${index}`]),
  );
  assert.equal(new Set(agents.map((agent) => world.of(agent))).size, 1);
  world.put('second', { parentId: '/workload', spiffeId: '/second' });
  assert.equal(new Set(agents.map((agent) => world.of(agent))).size, 1);
  assert.deepEqual(world.idsOf(agents[7]!), ['second', 'workload']);
  world.put('own', { parentId: '/spire/agent/7', spiffeId: '/own' });
  assert.equal(new Set(agents.map((agent) => world.of(agent))).size, 2);
  assert.deepEqual(world.idsOf(agents[7]!), ['own', 'second', 'workload']);
});

const paths = ['/a', '/b', '/c', '/d', SERVER, '/spire/agent/1', '/spire/agent/2'];
const selectors = ['k:1', 'k:2', 'k:3'];
const path = fc.constantFrom(...paths);
const agentPath = fc.constantFrom('/spire/agent/1', '/spire/agent/2', '/spire/agent/3');
const some = fc.subarray(selectors);
const entryId = fc.integer({ min: 0, max: 7 }).map(String);

const mutation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      id: entryId,
      parentId: path,
      spiffeId: path,
      selectors: some,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), id: entryId }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('attest' as const),
      path: agentPath,
      selectors: some,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('evict' as const), path: agentPath }) },
);

test('whatever happens, an agent is answered as the rules say', () => {
  const ids = ['/spire/agent/1', '/spire/agent/2', '/spire/agent/3'].map((one) =>
    SpiffeId.of(trustDomain, one),
  );
  const mutations = fc.array(mutation, { minLength: 5, maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(mutations, (steps) => {
      const world = new World();
      for (const step of steps) {
        if (step.kind === 'put') world.put(step.id, step);
        else if (step.kind === 'remove') world.remove(step.id);
        else if (step.kind === 'attest') world.attest(step.path, step.selectors);
        else world.evict(step.path);
        const entries = world.index.rows().map(({ value }) => value);
        for (const id of ids) {
          const agent = world.agents.get(id.toString());
          const answer = new Set(world.of(id));
          assert.equal(answer.size, world.of(id).length);
          assert.deepEqual(world.idsOf(id), modelOf(entries, id, agent));
          for (const entry of entries) {
            assert.equal(world.authorized.has(id, agent, entry), answer.has(entry));
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('what very many parents lead to is answered anew for all', () => {
  const world = new World();
  const agent = world.attest('/spire/agent/a');
  const bystander = world.attest('/spire/agent/b');
  for (let index = 0; index < 1_500; index++) {
    world.put(String(index), { parentId: `/spire/agent/${index}`, spiffeId: '/common' });
  }
  world.put('mine', { parentId: '/spire/agent/a', spiffeId: '/common' });
  world.put('theirs', { parentId: '/spire/agent/b', spiffeId: '/else' });
  assert.deepEqual(world.idsOf(agent), ['mine']);
  assert.deepEqual(world.idsOf(bystander), ['theirs']);
  world.put('below', { parentId: '/common', spiffeId: '/below' });
  assert.deepEqual(world.idsOf(agent), ['below', 'mine']);
  assert.deepEqual(world.idsOf(bystander), ['theirs']);
});

test('nothing is kept for agents that are gone', () => {
  const world = new World();
  const kept = () => world.authorized.remembered;
  world.put('alias', { parentId: SERVER, spiffeId: '/group', selectors: ['k:a'] });
  world.put('workload', { parentId: '/group', spiffeId: '/workload' });
  for (let index = 0; index < 50; index++) {
    const agentId = `/spire/agent/${index}`;
    world.put(`own-${index}`, { parentId: agentId, spiffeId: `/own/${index}` });
    world.of(world.attest(agentId, ['k:a']));
    world.of(world.attest(agentId, [])); // other selectors: the first answer is nobody's
  }
  assert.deepEqual(kept(), { agents: 50, answers: 50, starts: 50 });
  for (let index = 0; index < 50; index++) world.evict(`/spire/agent/${index}`);
  assert.deepEqual(kept(), { agents: 0, answers: 0, starts: 0 });
});
