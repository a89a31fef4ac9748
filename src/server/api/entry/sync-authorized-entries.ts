import { create, toBinary } from '@bufbuild/protobuf';
import { kindOf } from '../../../base/fault.ts';
import { type Encoded, encoded } from '../../../rpc/service.ts';
import type { Entry } from '../../../spiffe/entry.ts';
import { encodeEntries } from '../../../wire/entry.ts';
import {
  type SyncAuthorizedEntriesRequest,
  SyncAuthorizedEntriesResponseSchema,
} from '../../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { EntryMask } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import type { EntryRegistry } from '../../registry/contract.ts';
import { type Call, callingAgent } from '../call.ts';
import { messageReader } from '../message-reader.ts';
import { PlainFault } from '../refusal.ts';

export type SyncAuthorizedEntriesDeps = {
  readonly entries: Pick<EntryRegistry, 'authorizedFor'>;
  /** Entries, or revisions of entries, in one message. */
  readonly pageSize?: number;
};

/** SPIRE's; 500 entries of usual size are some 150 KB. */
const PAGE_SIZE = 500;

/**
 * An agent with few entries gets them all and that is it; one with many gets their revisions, and then asks for
 * those that are new to it, as often as it likes, until it closes the stream (`reference/server.md` §14.2). Later
 * changes are not seen on this stream.
 */
export async function* syncAuthorizedEntries(
  { entries, pageSize = PAGE_SIZE }: SyncAuthorizedEntriesDeps,
  requests: AsyncIterable<Pick<SyncAuthorizedEntriesRequest, 'outputMask' | 'ids'>>,
  call: Pick<Call, 'caller'>,
): AsyncGenerator<Encoded, void, undefined> {
  const authorized = entries.authorizedFor(callingAgent(call));
  const read = messageReader(requests);
  const first = await read();
  if (first === undefined) throw new PlainFault('unknown', 'EOF');
  checkFirst(first);
  const { outputMask } = first;
  if (authorized.length <= pageSize) {
    yield entriesPage(authorized, outputMask, false);
    return;
  }
  yield* revisionPages(authorized, pageSize);
  const readOn = () => read().catch(endIfCancelled);
  let byId: ReadonlyMap<string, Entry> | undefined;
  for (let next = await readOn(); next !== undefined; next = await readOn()) {
    byId ??= new Map(authorized.map((entry) => [entry.id, entry]));
    yield* entryPages(named(next.ids, byId), outputMask, pageSize);
  }
}

/** An agent that hangs up has what it wanted. */
function endIfCancelled(error: unknown): undefined {
  if (kindOf(error) !== 'canceled') throw error;
}

function checkFirst({
  ids,
  outputMask,
}: Pick<SyncAuthorizedEntriesRequest, 'outputMask' | 'ids'>): void {
  if (ids.length > 0) {
    throw new PlainFault('invalid', 'specifying IDs on initial request is not supported');
  }
  if (outputMask !== undefined && !outputMask.revisionNumber) {
    throw new PlainFault('invalid', 'revision number cannot be masked');
  }
}

/** Sorted by ID; one that is asked for twice is sent twice, what the agent may not have is left out. */
const named = (ids: readonly string[], byId: ReadonlyMap<string, Entry>): readonly Entry[] =>
  ids.toSorted(compareBytewise).flatMap((id) => byId.get(id) ?? []);

const compareBytewise = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function* revisionPages(entries: readonly Entry[], pageSize: number): Generator<Encoded> {
  for (const { page, more } of pages(entries, pageSize)) {
    const entryRevisions = page.map(({ id, revisionNumber, createdAt }) => ({
      id,
      revisionNumber: BigInt(revisionNumber),
      createdAt: BigInt(createdAt),
    }));
    const response = create(SyncAuthorizedEntriesResponseSchema, { entryRevisions, more });
    yield encoded(toBinary(SyncAuthorizedEntriesResponseSchema, response));
  }
}

function* entryPages(
  entries: readonly Entry[],
  mask: EntryMask | undefined,
  pageSize: number,
): Generator<Encoded> {
  for (const { page, more } of pages(entries, pageSize)) yield entriesPage(page, mask, more);
}

const { field } = SyncAuthorizedEntriesResponseSchema;

function entriesPage(
  entries: readonly Entry[],
  mask: EntryMask | undefined,
  more: boolean,
): Encoded {
  const rest = toBinary(
    SyncAuthorizedEntriesResponseSchema,
    create(SyncAuthorizedEntriesResponseSchema, { more }),
  );
  return encoded(Buffer.concat([encodeEntries(field.entries.number, entries, mask), rest]));
}

/** At least one page, which may be empty. */
function* pages(
  entries: readonly Entry[],
  size: number,
): Generator<{ page: readonly Entry[]; more: boolean }> {
  let start = 0;
  do {
    const end = start + size;
    yield { page: entries.slice(start, end), more: end < entries.length };
    start = end;
  } while (start < entries.length);
}
