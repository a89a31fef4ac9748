import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault, reasonOf } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { CallOptions, Client } from '../../rpc/dial.ts';
import type {
  EntryRevision,
  Entry as EntryService,
  SyncAuthorizedEntriesRequestSchema,
  SyncAuthorizedEntriesResponse,
} from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Entry as ProtoEntry } from '../../wire/gen/spire/api/types/entry_pb.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import { Outbox } from '../server/outbox.ts';
import { bareRpcFailure, rpcFailure } from '../server/rpc-failure.ts';
import { authorizedEntryMask, entryFromServer, sameEntry } from './entry-from-server.ts';

type EntryClient = Client<typeof EntryService>;

/**
 * The agent's copy of its entries, kept up to date by revision (`reference/agent.md` §3.2). An entry that did not
 * change stays the same object.
 */
export class AuthorizedEntries {
  readonly #log: Log;
  readonly #metrics: Metrics;
  #entries = new Map<string, AuthorizedEntry>();

  constructor(log: Log, metrics: Metrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  get all(): readonly AuthorizedEntry[] {
    return [...this.#entries.values()];
  }

  clear(): void {
    this.#entries.clear();
  }

  /** By GetAuthorizedEntries: all of them, each time. */
  async fetchAll(client: EntryClient, options: CallOptions): Promise<void> {
    const { entries } = await client.getAuthorizedEntries(
      { outputMask: authorizedEntryMask },
      options,
    );
    this.#keepOnly(this.#merge(entries));
  }

  /** By SyncAuthorizedEntries. If it fails, what has come so far is kept, and nothing is removed. */
  async sync(client: EntryClient, options: CallOptions): Promise<void> {
    const outbox = new Outbox<MessageInitShape<typeof SyncAuthorizedEntriesRequestSchema>>();
    outbox.send({ outputMask: authorizedEntryMask });
    const answers = client.syncAuthorizedEntries(outbox, options)[Symbol.asyncIterator]();
    try {
      const first = await firstAnswer(answers);
      if (first.entryRevisions.length === 0) {
        this.#tellDifference(first.entries);
        this.#metrics.gauge(DROPPED, this.#keepOnly(this.#merge(first.entries)));
        return;
      }
      const pageSize = first.entryRevisions.length;
      const revisions = await this.#revisions(answers, first);
      await this.#fetch(this.#needed(revisions), pageSize, outbox, answers);
      const dropped = this.#keepOnly(new Set(revisions.map(({ id }) => id)));
      this.#metrics.gauge(DROPPED, dropped);
    } finally {
      outbox.close();
      await answers.return?.();
    }
  }

  async #revisions(
    answers: Answers,
    first: SyncAuthorizedEntriesResponse,
  ): Promise<readonly EntryRevision[]> {
    const revisions = [...first.entryRevisions];
    for (let { more } = first; more; ) {
      const page = await nextAnswer(answers);
      if (page.entries.length > 0) {
        throw new Fault('internal', 'unexpected entry in response receiving entry revisions');
      }
      revisions.push(...page.entryRevisions);
      more = page.more;
    }
    return revisions.filter(({ id, revisionNumber }) => {
      const isWellFormed = id !== '' && revisionNumber >= 0n;
      if (!isWellFormed) this.#log.warn(`Received malformed entry revision ${FROM_SERVER}`);
      return isWellFormed;
    });
  }

  /** IDs of the entries that are not here, or not in this revision. */
  #needed(revisions: readonly EntryRevision[]): string[] {
    const missing = revisions.filter(({ id }) => !this.#entries.has(id));
    const stale = revisions.filter(({ id, revisionNumber, createdAt }) => {
      const known = this.#entries.get(id);
      return (
        known !== undefined &&
        (BigInt(known.revisionNumber) !== revisionNumber ||
          (createdAt !== 0n && BigInt(known.createdAt) !== createdAt))
      );
    });
    this.#metrics.gauge(MISSING, missing.length);
    this.#metrics.gauge(STALE, stale.length);
    return [...missing, ...stale].map(({ id }) => id).sort();
  }

  async #fetch(
    ids: readonly string[],
    pageSize: number,
    outbox: Outbox<MessageInitShape<typeof SyncAuthorizedEntriesRequestSchema>>,
    answers: Answers,
  ): Promise<void> {
    for (let start = 0; start < ids.length; start += pageSize) {
      outbox.send({ ids: ids.slice(start, start + pageSize) });
      for (let more = true; more; ) {
        const page = await nextAnswer(answers);
        if (page.entryRevisions.length > 0) {
          throw new Fault(
            'internal',
            'unexpected entry revisions in response while requesting entries',
          );
        }
        this.#merge(page.entries);
        more = page.more;
      }
    }
  }

  /** Takes what can be understood; answers the IDs of it. */
  #merge(protos: readonly ProtoEntry[]): Set<string> {
    const ids = new Set<string>();
    for (const proto of protos) {
      try {
        const entry = entryFromServer(proto);
        const known = this.#entries.get(entry.id);
        if (known === undefined || !sameEntry(known, entry)) this.#entries.set(entry.id, entry);
        ids.add(entry.id);
      } catch (error) {
        this.#log.warn(`Received malformed entry ${FROM_SERVER}`, {
          entry: proto.id,
          error: reasonOf(error),
        });
      }
    }
    return ids;
  }

  /** Answers how many went. */
  #keepOnly(ids: ReadonlySet<string>): number {
    let dropped = 0;
    for (const id of this.#entries.keys()) {
      if (!ids.has(id)) dropped += Number(this.#entries.delete(id));
    }
    return dropped;
  }

  /** Where the server sends the entries at once instead of their revisions. */
  #tellDifference(protos: readonly ProtoEntry[]): void {
    const known = protos.flatMap(({ id, revisionNumber }) => {
      const entry = this.#entries.get(id);
      return entry ? [{ isStale: BigInt(entry.revisionNumber) !== revisionNumber }] : [];
    });
    this.#metrics.gauge(MISSING, protos.length - known.length);
    this.#metrics.gauge(STALE, known.filter(({ isStale }) => isStale).length);
  }
}

/** How the copy differed from what the server has (`reference/agent.md` §7). */
const MISSING = ['sync_entries_missing'];
const STALE = ['sync_entries_stale'];
const DROPPED = ['sync_entries_dropped'];

const FROM_SERVER = 'from SPIRE server; are the server and agent versions compatible?';

type Answers = AsyncIterator<SyncAuthorizedEntriesResponse>;

const NO_PAGE = 'failed to receive entry revision page from server';

/** What keeps the stream from coming about is told without more words, as in SPIRE. */
const firstAnswer = (answers: Answers): Promise<SyncAuthorizedEntriesResponse> =>
  answer(answers, bareRpcFailure);

const nextAnswer = (answers: Answers): Promise<SyncAuthorizedEntriesResponse> =>
  answer(answers, (error) => rpcFailure(NO_PAGE, error));

async function answer(
  answers: Answers,
  worded: (error: unknown) => unknown,
): Promise<SyncAuthorizedEntriesResponse> {
  const { done, value } = await answers.next().catch((error: unknown) => {
    throw worded(error);
  });
  if (done) throw new Fault('unknown', `${NO_PAGE}: EOF`);
  return value;
}
