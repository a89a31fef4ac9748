import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Emitted, recordingMetrics, statusesOf } from '../../../test/kit/recording-metrics.ts';
import { Fault } from '../../base/fault.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Datastore } from './contract.ts';
import { countedDatastore } from './counted-datastore.ts';

const id = SpiffeId.parse('spiffe://a.test/spire/agent/x');
const known = SpiffeId.parse('spiffe://a.test/spire/agent/known');
const trustDomain = TrustDomain.parse('a.test');

/** Every method of every store answers with its name, or throws. */
function datastoreThat(answer: (method: string) => Promise<unknown>): Datastore {
  const store = (name: string) =>
    new Proxy({}, { get: (_, method) => () => answer(`${name}.${String(method)}`) });
  return {
    entries: store('entries'),
    agents: store('agents'),
    bundles: store('bundles'),
    relationships: store('relationships'),
    joinTokens: store('joinTokens'),
    caJournals: store('caJournals'),
    pruneEvents: () => answer('pruneEvents'),
    failed: new Promise(() => {}),
    async [Symbol.asyncDispose]() {},
  } as unknown as Datastore;
}

/** `reference/server.md` §12: what each call is counted as. */
const calls: readonly (readonly [(store: Datastore) => Promise<unknown>, readonly string[]])[] = [
  [({ entries }) => entries.all(() => {}), ['registration_entry.list']],
  [({ entries }) => entries.byIds([], () => {}), ['registration_entry.fetch']],
  [({ entries }) => entries.create({} as never), ['registration_entry.create']],
  [({ entries }) => entries.update({} as never, new Set()), ['registration_entry.update']],
  [({ entries }) => entries.delete('x'), ['registration_entry.delete']],
  [({ entries }) => entries.pruneExpired(0), ['registration_entry.prune']],
  [({ agents }) => agents.all(() => {}), ['node.list', 'node.selectors.list']],
  [({ agents }) => agents.get(id), ['node.fetch']],
  [
    ({ agents }) => agents.attested({ id } as never),
    ['node.fetch', 'node.create', 'node.selectors.set'],
  ],
  [
    ({ agents }) => agents.attested({ id: known } as never),
    ['node.fetch', 'node.update', 'node.selectors.set'],
  ],
  [({ agents }) => agents.update(id, {}), ['node.update']],
  [({ agents }) => agents.activate(id, '1'), ['node.update']],
  [({ agents }) => agents.ban(id), ['node.update']],
  [({ agents }) => agents.delete(id), ['node.delete']],
  [({ agents }) => agents.pruneExpired({} as never), ['node.prune']],
  [({ bundles }) => bundles.all(() => {}), ['bundle.list']],
  [({ bundles }) => bundles.get(trustDomain), ['bundle.fetch']],
  [({ bundles }) => bundles.create({} as never), ['bundle.create']],
  [({ bundles }) => bundles.set({} as never), ['bundle.set']],
  [({ bundles }) => bundles.modify(trustDomain, (stored) => stored), ['bundle.update']],
  [({ bundles }) => bundles.modify(trustDomain, (stored) => stored, 'append'), ['bundle.append']],
  [({ bundles }) => bundles.modify(trustDomain, (stored) => stored, 'prune'), ['bundle.prune']],
  [
    ({ bundles }) => bundles.modify(trustDomain, (stored) => stored, 'taint-x509'),
    ['bundle.x509.taint'],
  ],
  [
    ({ bundles }) => bundles.modify(trustDomain, (stored) => stored, 'revoke-jwt'),
    ['bundle.jwt.revoke'],
  ],
  [({ bundles }) => bundles.delete(trustDomain, 'restrict'), ['bundle.delete']],
  [({ relationships }) => relationships.all(() => {}), ['federation_relationship.list']],
  [({ relationships }) => relationships.create({} as never), ['federation_relationship.create']],
  [
    ({ relationships }) => relationships.update({} as never, new Set()),
    ['federation_relationship.update'],
  ],
  [({ relationships }) => relationships.delete(trustDomain), ['federation_relationship.delete']],
  [({ joinTokens }) => joinTokens.create({} as never), ['join_token.create']],
  [({ joinTokens }) => joinTokens.spend('x'), ['join_token.fetch', 'join_token.delete']],
  [({ caJournals }) => caJournals.all(), []],
  [({ caJournals }) => caJournals.findByActiveX509Authority('x'), ['ca_journal.fetch']],
  [({ caJournals }) => caJournals.save({} as never), ['ca_journal.set']],
  [({ caJournals }) => caJournals.delete(1), ['ca_journal.prune']],
  [(store) => store.pruneEvents(0), ['node_event.prune', 'registration_entry_event.prune']],
];

const namesOf = (emitted: readonly Emitted[]) =>
  emitted.flatMap(([kind, key]) => (kind === 'counter' ? [key.replace(/^datastore\./, '')] : []));

for (const [call, names] of calls) {
  test(`${String(call).replace(/\s+/g, ' ')} counts as ${names.join(', ') || 'nothing'}`, async () => {
    const emitted: Emitted[] = [];
    const metrics = recordingMetrics(emitted);
    const isKnown = (agent: SpiffeId) => agent.equals(known);
    const answered = datastoreThat(async (method) => method);
    assert.equal(typeof (await call(countedDatastore(answered, metrics, isKnown))), 'string');
    assert.deepEqual(namesOf(emitted).toSorted(), names.toSorted());
    for (const name of names) assert.deepEqual(statusesOf(emitted, `datastore.${name}`), ['OK']);

    emitted.length = 0;
    const failure = new Fault('not-found', 'datastore-sql: record not found');
    const failing = datastoreThat(() => Promise.reject(failure));
    await assert.rejects(call(countedDatastore(failing, metrics, isKnown)), failure);
    for (const name of namesOf(emitted)) {
      assert.deepEqual(statusesOf(emitted, `datastore.${name}`), ['NotFound']);
    }
  });
}

test('a token that nobody could spend was fetched, and not deleted', async () => {
  const emitted: Emitted[] = [];
  const store = datastoreThat(async () => undefined);
  await countedDatastore(store, recordingMetrics(emitted), () => false).joinTokens.spend('x');
  assert.deepEqual(namesOf(emitted), ['join_token.fetch']);
});

test('without metrics it is the datastore itself', () => {
  const store = datastoreThat(async () => undefined);
  assert.equal(
    countedDatastore(store, noMetrics, () => false),
    store,
  );
});
