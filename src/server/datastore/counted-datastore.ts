import { type Metrics, noMetrics } from '../../ops/metrics.ts';
import { startCall, timedCall } from '../../ops/metrics-call.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { BundleOperation, Datastore } from './contract.ts';

/** Parts of a key after `datastore`: what is worked on, and what is done. */
type Name = `${Subject} ${string}`;
type Subject =
  | 'bundle'
  | 'ca_journal'
  | 'federation_relationship'
  | 'join_token'
  | 'node'
  | 'node_event'
  | 'registration_entry'
  | 'registration_entry_event';

const keys = new Map<string, readonly string[]>();

function keyOf(name: Name): readonly string[] {
  let key = keys.get(name);
  if (key === undefined) {
    key = ['datastore', ...name.split(' ')];
    keys.set(name, key);
  }
  return key;
}

const modifications: Record<BundleOperation, Name> = {
  append: 'bundle append',
  prune: 'bundle prune',
  update: 'bundle update',
  'taint-x509': 'bundle x509 taint',
  'revoke-x509': 'bundle x509 revoke',
  'taint-jwt': 'bundle jwt taint',
  'revoke-jwt': 'bundle jwt revoke',
};

/**
 * The same datastore, its calls counted and timed under the names of SPIRE's (`reference/server.md` §12). What is one
 * call here and several there counts as each of them. `knowsAgent` says whether an agent attests again.
 */
export function countedDatastore(
  datastore: Datastore,
  metrics: Metrics,
  knowsAgent: (id: SpiffeId) => boolean,
): Datastore {
  if (metrics === noMetrics) return datastore;
  const counted = <T>(names: readonly Name[], call: () => Promise<T>): Promise<T> => {
    const [first, ...others] = names;
    if (first === undefined) return call();
    return timedCall(metrics, keyOf(first), () => counted(others, call));
  };
  const { entries, agents, bundles, relationships, joinTokens, caJournals } = datastore;
  return {
    entries: {
      all: (skipped) => counted(['registration_entry list'], () => entries.all(skipped)),
      byIds: (ids, skipped) =>
        counted(['registration_entry fetch'], () => entries.byIds(ids, skipped)),
      create: (entry) => counted(['registration_entry create'], () => entries.create(entry)),
      update: (entry, fields) =>
        counted(['registration_entry update'], () => entries.update(entry, fields)),
      delete: (id) => counted(['registration_entry delete'], () => entries.delete(id)),
      pruneExpired: (before) =>
        counted(['registration_entry prune'], () => entries.pruneExpired(before)),
    },
    agents: {
      all: (skipped) => counted(['node list', 'node selectors list'], () => agents.all(skipped)),
      get: (id) => counted(['node fetch'], () => agents.get(id)),
      attested: (agent) =>
        counted(
          [
            'node fetch',
            knowsAgent(agent.id) ? 'node update' : 'node create',
            'node selectors set',
          ],
          () => agents.attested(agent),
        ),
      update: (id, update) => counted(['node update'], () => agents.update(id, update)),
      activate: (id, serial) => counted(['node update'], () => agents.activate(id, serial)),
      ban: (id) => counted(['node update'], () => agents.ban(id)),
      delete: (id) => counted(['node delete'], () => agents.delete(id)),
      pruneExpired: (rule) => counted(['node prune'], () => agents.pruneExpired(rule)),
    },
    bundles: {
      all: (skipped) => counted(['bundle list'], () => bundles.all(skipped)),
      get: (trustDomain) => counted(['bundle fetch'], () => bundles.get(trustDomain)),
      create: (bundle) => counted(['bundle create'], () => bundles.create(bundle)),
      set: (bundle) => counted(['bundle set'], () => bundles.set(bundle)),
      modify: (trustDomain, change, operation = 'update') =>
        counted([modifications[operation]], () => bundles.modify(trustDomain, change, operation)),
      delete: (trustDomain, mode) =>
        counted(['bundle delete'], () => bundles.delete(trustDomain, mode)),
    },
    relationships: {
      all: (skipped) => counted(['federation_relationship list'], () => relationships.all(skipped)),
      create: (relationship, bundle) =>
        counted(['federation_relationship create'], () =>
          relationships.create(relationship, bundle),
        ),
      update: (relationship, fields, bundle) =>
        counted(['federation_relationship update'], () =>
          relationships.update(relationship, fields, bundle),
        ),
      delete: (trustDomain) =>
        counted(['federation_relationship delete'], () => relationships.delete(trustDomain)),
    },
    joinTokens: {
      create: (token) => counted(['join_token create'], () => joinTokens.create(token)),
      async spend(token) {
        const end = startCall(metrics, keyOf('join_token fetch'));
        try {
          const spent = await joinTokens.spend(token);
          end();
          // It was taken away in the same breath.
          if (spent !== undefined) startCall(metrics, keyOf('join_token delete'))();
          return spent;
        } catch (error) {
          end(error);
          throw error;
        }
      },
    },
    caJournals: {
      all: () => caJournals.all(),
      findByActiveX509Authority: (id) =>
        counted(['ca_journal fetch'], () => caJournals.findByActiveX509Authority(id)),
      save: (row) => counted(['ca_journal set'], () => caJournals.save(row)),
      delete: (id) => counted(['ca_journal prune'], () => caJournals.delete(id)),
    },
    pruneEvents: (before) =>
      counted(['node_event prune', 'registration_entry_event prune'], () =>
        datastore.pruneEvents(before),
      ),
    failed: datastore.failed,
    [Symbol.asyncDispose]: () => datastore[Symbol.asyncDispose](),
  };
}
