import type { Compilable } from 'kysely';
import { Fault } from '../../base/fault.ts';
import type { Agent } from '../../spiffe/agent.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { type AgentColumns, agentColumnsOf, readAgent, readAgents } from './agent-rows.ts';
import { batch } from './batch.ts';
import type { AgentStore, Row } from './contract.ts';
import { type StoreDeps, stamps } from './dialect.ts';
import { deleteRows } from './entry-store.ts';
import { addAgentEvents, addEntryEvents, chunks } from './events.ts';
import type { Database } from './schema.ts';
import { recordNotFound } from './sqlite-fault.ts';

export function createAgentStore(deps: StoreDeps): AgentStore {
  const { db, dialect } = deps;

  /** `columnsFor` sees what is stored, and says what to write: undefined for nothing. It may throw. */
  async function change(
    id: SpiffeId,
    columnsFor: (stored: Stored) => AgentColumns | undefined,
  ): Promise<Row<Agent>> {
    return await db.transaction().execute(async (tx) => {
      const stored = await findStored(tx, id);
      if (stored === undefined) throw recordNotFound();
      const columns = columnsFor(stored);
      const writes = columns === undefined ? [] : writeColumns(tx, deps, id, columns);
      return await writeThenRead(tx, deps, id, writes);
    });
  }

  return {
    all(skipped) {
      return db
        .transaction()
        .setAccessMode('read only') // one snapshot for all pages
        .execute((tx) => readAgents(tx, dialect, skipped));
    },

    get: (id) => readAgent(db, dialect, id),

    async attested(agent) {
      return await db.transaction().execute(async (tx) => {
        const stored = await findStored(tx, agent.id);
        if (stored !== undefined) refuseBanned(stored);
        const writes = [
          ...replaceSelectors(tx, deps, agent),
          ...(stored === undefined
            ? insertAgent(tx, deps, agent)
            : writeColumns(tx, deps, agent.id, attestedColumns(agent, deps))),
        ];
        return await writeThenRead(tx, deps, agent.id, writes);
      });
    },

    update(id, update) {
      const namesSerial = update.serialNumber !== undefined || update.newSerialNumber !== undefined;
      return change(id, (stored) => {
        if (namesSerial) refuseBanned(stored);
        return agentColumnsOf(update, dialect);
      });
    },

    activate(id, newSerialNumber) {
      return change(id, (stored) => {
        const isPending = newSerialNumber !== '' && stored.new_serial_number === newSerialNumber;
        if (!isPending || isBanned(stored)) return undefined;
        return {
          serial_number: newSerialNumber,
          expires_at: stored.new_expires_at,
          new_serial_number: '',
          new_expires_at: null,
        };
      });
    },

    ban: (id) => change(id, () => ({ serial_number: '', new_serial_number: '' })),

    async delete(id) {
      return await db.transaction().execute(async (tx) => {
        const stored = await findStored(tx, id);
        if (stored === undefined) throw recordNotFound();
        return { entriesDeleted: await deleteAgents(tx, deps, [stored]) };
      });
    },

    async pruneExpired({ beforeUnixSeconds, includeNonReattestable, limit }) {
      return await db.transaction().execute(async (tx) => {
        const expired = await tx
          .selectFrom('attested_node_entries')
          .select(storedColumns)
          .where(dialect.isBefore('expires_at', beforeUnixSeconds))
          .where('serial_number', '!=', '')
          .$if(!includeNonReattestable, (query) => query.where('can_reattest', '=', true))
          .orderBy('expires_at')
          .limit(limit)
          .execute();
        const entriesDeleted = await deleteAgents(tx, deps, expired);
        return { agents: expired.flatMap(({ spiffe_id }) => idsOf(spiffe_id)), entriesDeleted };
      });
    },
  };
}

const storedColumns = [
  'spiffe_id',
  'data_type',
  'serial_number',
  'new_serial_number',
  'new_expires_at',
] as const;

type Stored = NonNullable<Awaited<ReturnType<typeof findStored>>>;

const findStored = (tx: Database, id: SpiffeId) =>
  tx
    .selectFrom('attested_node_entries')
    .select(storedColumns)
    .where('spiffe_id', '=', id.toString())
    .executeTakeFirst();

const isBanned = ({ serial_number }: Stored): boolean => !serial_number;

/** A ban that came while the agent attested or renewed must not be undone by it. */
function refuseBanned(stored: Stored): void {
  if (isBanned(stored)) throw new Fault('denied', 'agent is banned', { denial: 'banned' });
}

async function writeThenRead(
  tx: Database,
  { dialect }: StoreDeps,
  id: SpiffeId,
  writes: readonly Compilable[],
): Promise<Row<Agent>> {
  await batch(tx, writes);
  const row = await readAgent(tx, dialect, id);
  if (row === undefined) throw recordNotFound();
  return row;
}

const writeColumns = (tx: Database, deps: StoreDeps, id: SpiffeId, columns: AgentColumns) => [
  tx
    .updateTable('attested_node_entries')
    .set({ ...columns, updated_at: stamps(deps).updated_at })
    .where('spiffe_id', '=', id.toString()),
  ...addAgentEvents(tx, deps, [id.toString()]),
];

const insertAgent = (tx: Database, deps: StoreDeps, agent: Agent) => [
  tx.insertInto('attested_node_entries').values({
    ...stamps(deps),
    spiffe_id: agent.id.toString(),
    data_type: agent.attestationType,
    agent_version: agent.agentVersion,
    ...attestedColumns(agent, deps),
  }),
  ...addAgentEvents(tx, deps, [agent.id.toString()]),
];

const attestedColumns = (agent: Agent, { dialect }: StoreDeps): AgentColumns =>
  agentColumnsOf(
    {
      serialNumber: agent.serialNumber,
      expiresAt: agent.expiresAt,
      newSerialNumber: '',
      newExpiresAt: undefined,
      canReattest: agent.canReattest,
    },
    dialect,
  );

/** With an event of its own, as SPIRE writes one for the selectors and one for the agent. */
function replaceSelectors(tx: Database, deps: StoreDeps, agent: Agent) {
  const spiffeId = agent.id.toString();
  const now = stamps(deps);
  return [
    tx.deleteFrom('node_resolver_map_entries').where('spiffe_id', '=', spiffeId),
    ...chunks(agent.selectors).map((selectors) =>
      tx
        .insertInto('node_resolver_map_entries')
        .values(selectors.map(({ type, value }) => ({ ...now, spiffe_id: spiffeId, type, value }))),
    ),
    ...addAgentEvents(tx, deps, [spiffeId]),
  ];
}

/** Removes agents with their selectors and aliases. Resolves with the IDs of the entries that went. */
async function deleteAgents(
  tx: Database,
  deps: StoreDeps,
  agents: readonly Pick<Stored, 'spiffe_id' | 'data_type'>[],
): Promise<string[]> {
  const ids = agents.map(({ spiffe_id }) => spiffe_id ?? '');
  const aliases = await findAliases(
    tx,
    agents
      .filter(({ data_type }) => data_type === JOIN_TOKEN)
      .map(({ spiffe_id }) => spiffe_id ?? ''),
  );
  await batch(tx, [
    ...chunks(ids).flatMap((some) => [
      tx.deleteFrom('node_resolver_map_entries').where('spiffe_id', 'in', some),
      tx.deleteFrom('attested_node_entries').where('spiffe_id', 'in', some),
    ]),
    ...addAgentEvents(tx, deps, ids),
    ...deleteRows(
      tx,
      aliases.map(({ id }) => id),
    ),
    ...addEntryEvents(
      tx,
      deps,
      aliases.map(({ entry_id }) => entry_id),
    ),
  ]);
  return aliases.map(({ entry_id }) => entry_id);
}

/** The attestor whose agents may have alias entries, made with the token (`reference/server.md` §8.3). */
const JOIN_TOKEN = 'join_token';

/** Entries below an agent whose only selector is that agent's ID. */
async function findAliases(
  tx: Database,
  spiffeIds: readonly string[],
): Promise<{ readonly id: number; readonly entry_id: string }[]> {
  const rows = [];
  for (const some of chunks(spiffeIds)) {
    rows.push(
      ...(await tx
        .selectFrom('registered_entries as e')
        .innerJoin('selectors as s', 's.registered_entry_id', 'e.id')
        .select(['e.id', 'e.entry_id', 'e.parent_id', 's.type', 's.value'])
        .where('e.parent_id', 'in', some)
        .execute()),
    );
  }
  return [...Map.groupBy(rows, ({ id }) => id).values()].flatMap(([row, second]) => {
    const isAlias =
      second === undefined && row?.type === 'spiffe_id' && row.value === row.parent_id;
    return isAlias ? [{ id: row.id, entry_id: row.entry_id ?? '' }] : [];
  });
}

/** A malformed ID names no agent that anybody knows. */
function idsOf(stored: string | null): SpiffeId[] {
  try {
    return [SpiffeId.parse(stored ?? '')];
  } catch {
    return [];
  }
}
