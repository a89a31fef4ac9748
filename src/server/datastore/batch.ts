import { type Compilable, CompiledQuery, type Kysely } from 'kysely';

/** Several queries as one: the driver sends them together, and answers with one row for each, its rows. */
export type BatchedQuery = CompiledQuery & { readonly batch: readonly CompiledQuery[] };

export const isBatched = (query: CompiledQuery): query is BatchedQuery => 'batch' in query;

type RowsOfEach<Queries extends readonly Compilable[]> = {
  readonly [Index in keyof Queries]: Queries[Index] extends Compilable<infer Row> ? Row[] : never;
};

/**
 * Runs these one after the other, inside a transaction, for the price of one message to the database. Throws what
 * the first one that fails throws; that the transaction then takes all of it back is the caller's promise.
 */
export async function batch<const Queries extends readonly Compilable[]>(
  tx: Pick<Kysely<unknown>, 'executeQuery'>,
  queries: Queries,
): Promise<RowsOfEach<Queries>> {
  if (queries.length === 0) return [] as unknown as RowsOfEach<Queries>;
  const compiled = queries.map((one) => one.compile());
  const query: BatchedQuery = { ...CompiledQuery.raw(''), batch: compiled };
  const { rows } = await tx.executeQuery(query);
  return rows as unknown as RowsOfEach<Queries>;
}
