import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Agent } from '../../spiffe/agent.ts';
import type { Entry } from '../../spiffe/entry.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Datastore, Row, Skipped } from '../datastore/contract.ts';
import { MemoryAgents } from './agent-registry.ts';
import { MemoryBundles } from './bundle-registry.ts';
import type { Registry } from './contract.ts';
import { MemoryEntries } from './entry-registry.ts';
import { MemoryRelationships } from './relationship-registry.ts';

export type RegistryDeps = {
  readonly datastore: Datastore;
  readonly trustDomain: TrustDomain;
  readonly log: Log;
};

/** Reads everything. Throws where the first entry is of another trust domain (`reference/server.md` §5.1, step 7). */
export async function createRegistry({
  datastore,
  trustDomain,
  log,
}: RegistryDeps): Promise<Registry> {
  const entries: MemoryEntries = new MemoryEntries({
    store: datastore.entries,
    trustDomain,
    agent: (id) => agents.get(id),
  });
  const agents = new MemoryAgents({
    store: datastore.agents,
    changed: (id, agent) => entries.agentChanged(id, agent),
    entriesDeleted: (entryIds) => entries.forget(entryIds),
  });
  const bundles = new MemoryBundles({
    store: datastore.bundles,
    log,
    entriesChanged(lost, { entriesDeleted, entriesDissociated }) {
      entries.forget(entriesDeleted);
      entries.dissociate(entriesDissociated, lost);
    },
  });

  const relationships = new MemoryRelationships({
    store: datastore.relationships,
    bundleWritten: (row) => bundles.put(row),
    skipped: (what) => tellSkipped(log, what),
  });

  const skipped: Skipping[] = [];
  const skip: Skipped = (what) => {
    skipped.push(what);
    tellSkipped(log, what);
  };
  const building = log.child({ subsystem_name: 'endpoints' });
  building.info('Building in-memory entry cache'); // `reference/server.md` §9
  const entryRows = await datastore.entries.all(skip);
  checkFirstEntry(entryRows, skipped, trustDomain);
  for (const row of entryRows) entries.put(row);
  const agentRows = await datastore.agents.all(skip);
  warnOfFirstAgent(agentRows, trustDomain, log);
  for (const row of agentRows) agents.put(row);
  for (const row of await datastore.bundles.all(skip)) bundles.put(row);
  await relationships.reload();
  building.info('Completed building in-memory entry cache');

  return {
    entries,
    agents,
    bundles,
    relationships,
    async applied(changes) {
      await entries.reread(changes.entryIds ?? [], (what) => tellSkipped(log, what));
      for (const id of changes.agents ?? []) await agents.confirm(id);
      await bundles.reread(changes.bundles ?? []);
    },
  };
}

type Skipping = Parameters<Skipped>[0];

const skippedMessages = {
  entry: { message: 'Skipped malformed registration entry', field: 'entry_id' },
  agent: { message: 'Skipped malformed attested node', field: 'agent_id' },
  bundle: { message: 'Skipped malformed bundle', field: 'trust_domain_id' },
  relationship: { message: 'Skipped malformed federation relationship', field: 'trust_domain_id' },
} satisfies Record<Skipping['kind'], { message: string; field: string }>;

function tellSkipped(log: Log, { kind, id, reason }: Skipping): void {
  const { message, field } = skippedMessages[kind];
  log.warn(message, { [field]: id, error: reason });
}

/** Whether this server was pointed at another trust domain's database. */
function checkFirstEntry(
  rows: readonly Row<Entry>[],
  skipped: readonly Skipping[],
  configured: TrustDomain,
): void {
  const [first] = rows;
  const malformed = skipped.find(
    ({ rowId, reason }) =>
      rowId < (first?.rowId ?? Number.POSITIVE_INFINITY) && reason.startsWith('invalid SPIFFE ID'),
  );
  if (malformed !== undefined) {
    throw new Fault(
      'failed-precondition',
      `registration entry with id ${malformed.id} is malformed because ${malformed.reason}`,
    );
  }
  const detected = first?.value.spiffeId.trustDomain;
  if (detected === undefined || detected.equals(configured)) return;
  throw new Fault(
    'failed-precondition',
    `a registration entry with trust domain '${detected.name}' has been detected, which does not match the ` +
      `configured trust domain of '${configured.name}'. If you want to change the trust domain, please delete all ` +
      'existing registration entries',
  );
}

function warnOfFirstAgent(rows: readonly Row<Agent>[], configured: TrustDomain, log: Log): void {
  const detected = rows[0]?.value.id.trustDomain;
  if (detected === undefined || detected.equals(configured)) return;
  log.warn(
    `An attested node with trust domain '${detected.name}' has been detected, which does not match the configured ` +
      `trust domain of '${configured.name}'. Agents may need to be reconfigured to use new trust domain`,
  );
}
