import type { Selectable, Updateable } from 'kysely';
import { reasonOf } from '../../base/fault.ts';
import type { Agent } from '../../spiffe/agent.ts';
import type { Selector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { prefixed } from '../../wire/prefixed.ts';
import type { AgentUpdate, Row, Skipped } from './contract.ts';
import type { Dialect } from './dialect.ts';
import type { Database, Schema } from './schema.ts';

type AgentRow = Selectable<Schema['attested_node_entries']>;
export type AgentColumns = Omit<
  Updateable<Schema['attested_node_entries']>,
  'id' | 'created_at' | 'updated_at' | 'spiffe_id' | 'data_type'
>;

/** How many agents are read at a time. */
const PAGE_ROWS = 2_000;

const agentColumns = [
  'id',
  'created_at',
  'updated_at',
  'spiffe_id',
  'data_type',
  'serial_number',
  'expires_at',
  'new_serial_number',
  'new_expires_at',
  'can_reattest',
  'agent_version',
] as const satisfies (keyof AgentRow)[];

const selectAgents = (db: Database) => db.selectFrom('attested_node_entries').select(agentColumns);

/** All agents that can be read, in row order. */
export async function readAgents(
  tx: Database,
  dialect: Dialect,
  skipped: Skipped,
): Promise<Row<Agent>[]> {
  const selectors = await readAllSelectors(tx);
  const all: Row<Agent>[] = [];
  for (let last = 0; ; ) {
    const page = await selectAgents(tx)
      .where('id', '>', last)
      .orderBy('id')
      .limit(PAGE_ROWS)
      .execute();
    for (const row of page) {
      try {
        all.push(agentFromRow(row, selectors.get(row.spiffe_id ?? '') ?? [], dialect));
      } catch (error) {
        skipped({ kind: 'agent', id: row.spiffe_id ?? '', rowId: row.id, reason: reasonOf(error) });
      }
    }
    const lastRow = page.at(-1);
    if (lastRow === undefined) return all;
    last = lastRow.id;
  }
}

async function readAllSelectors(tx: Database): Promise<ReadonlyMap<string, Selector[]>> {
  const bySpiffeId = new Map<string, Selector[]>();
  for (let last = 0; ; ) {
    const page = await tx
      .selectFrom('node_resolver_map_entries')
      .select(['id', 'spiffe_id', 'type', 'value'])
      .where('id', '>', last)
      .orderBy('id')
      .limit(PAGE_ROWS)
      .execute();
    for (const { spiffe_id, type, value } of page) {
      const selectors = bySpiffeId.get(spiffe_id ?? '') ?? [];
      selectors.push({ type: type ?? '', value: value ?? '' });
      bySpiffeId.set(spiffe_id ?? '', selectors);
    }
    const lastRow = page.at(-1);
    if (lastRow === undefined) return bySpiffeId;
    last = lastRow.id;
  }
}

/** One statement, so it needs no transaction to be consistent. Throws where the row makes no agent. */
export async function readAgent(
  db: Database,
  dialect: Dialect,
  id: SpiffeId,
): Promise<Row<Agent> | undefined> {
  const rows = await db
    .selectFrom('attested_node_entries as a')
    .leftJoin('node_resolver_map_entries as s', 's.spiffe_id', 'a.spiffe_id')
    .select(agentColumns.map((column) => `a.${column}` as const))
    .select(['s.type', 's.value'])
    .where('a.spiffe_id', '=', id.toString())
    .orderBy('s.id')
    .execute();
  const [row] = rows;
  if (row === undefined) return undefined;
  const selectors = rows.flatMap(({ type, value }) =>
    type === null ? [] : [{ type, value: value ?? '' }],
  );
  return agentFromRow(row, selectors, dialect);
}

function agentFromRow(row: AgentRow, selectors: readonly Selector[], dialect: Dialect): Row<Agent> {
  const seconds = (time: string) => Math.floor(dialect.readTime(time));
  const value: Agent = {
    id: prefixed('invalid SPIFFE ID', () => SpiffeId.parse(row.spiffe_id ?? '')),
    attestationType: row.data_type ?? '',
    serialNumber: row.serial_number ?? '',
    expiresAt: row.expires_at === null ? 0 : seconds(row.expires_at),
    newSerialNumber: row.new_serial_number ?? '',
    newExpiresAt: row.new_expires_at === null ? undefined : seconds(row.new_expires_at),
    canReattest: Boolean(row.can_reattest),
    agentVersion: row.agent_version ?? '',
    selectors,
  };
  return { rowId: row.id, value };
}

/** Only those columns whose field is there. */
export function agentColumnsOf(update: AgentUpdate, dialect: Dialect): AgentColumns {
  const { serialNumber, expiresAt, newSerialNumber, newExpiresAt, canReattest, agentVersion } =
    update;
  return {
    ...(serialNumber !== undefined && { serial_number: serialNumber }),
    ...(expiresAt !== undefined && { expires_at: dialect.writeTime(expiresAt * 1000) }),
    ...(newSerialNumber !== undefined && { new_serial_number: newSerialNumber }),
    ...('newExpiresAt' in update && {
      new_expires_at: newExpiresAt === undefined ? null : dialect.writeTime(newExpiresAt * 1000),
    }),
    ...(canReattest !== undefined && { can_reattest: canReattest }),
    ...(agentVersion !== undefined && { agent_version: agentVersion }),
  };
}
