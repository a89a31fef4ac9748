import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import {
  type Entries,
  EntriesSchema,
  type JWTKeyEntry,
  Status,
  type WITKeyEntry,
  type X509CAEntry,
} from '../../wire/gen/private/server/journal/journal_pb.ts';
import type { CaJournalStore } from '../datastore/contract.ts';

export type JournalEntries = { x509CAs: X509CAEntry; jwtKeys: JWTKeyEntry; witKeys: WITKeyEntry };
export type JournalList = keyof JournalEntries;
export type StatusChange = { readonly authorityId: string; readonly status: Status };
type JournalLists = { readonly [L in JournalList]: JournalEntries[L][] };

/** The oldest entries of a list make room; two slots need no more than the last few. */
const MAX_ENTRIES_PER_LIST = 10;

type Deps = { readonly store: CaJournalStore; readonly log: Log };
type Start = { readonly rowId: number; readonly entries: Entries; readonly activeId: string };

/**
 * What a server remembers of its authorities: one row of `ca_journals` (`reference/server.md` §6.2), found again by
 * the key of the X.509 authority that was active. A server that has not activated one yet writes nothing.
 *
 * A write that fails is logged and made good by the next one; before anything is done that only a complete journal
 * allows, `flush` insists on it.
 */
export class Journal {
  readonly #store: CaJournalStore;
  readonly #log: Log;
  readonly #entries: Entries;
  readonly #lists: JournalLists;
  #rowId: number;
  #activeId: string;
  #saved = true;
  #writing: Promise<void> = Promise.resolve();

  private constructor({ store, log }: Deps, { rowId, entries, activeId }: Start) {
    this.#store = store;
    this.#log = log;
    this.#entries = entries;
    this.#lists = entries;
    this.#rowId = rowId;
    this.#activeId = activeId;
  }

  /**
   * Opens the row whose active X.509 authority is one of those (IDs of all keys that the key manager holds), or an
   * empty journal. Throws if the row cannot be decoded.
   */
  static async open(deps: Deps, authorityIds: readonly string[]): Promise<Journal> {
    const { store, log } = deps;
    log.debug('Loading journal from datastore');
    for (const id of authorityIds) {
      const row = await store.findByActiveX509Authority(id);
      if (row === undefined) continue;
      const entries = decodeEntries(row.data);
      return loaded(
        new Journal(deps, { rowId: row.id, entries, activeId: row.activeX509AuthorityId }),
        log,
      );
    }
    log.info('There is not a CA journal record that matches any of the local X509 authority IDs');
    return loaded(
      new Journal(deps, { rowId: 0, entries: create(EntriesSchema), activeId: '' }),
      log,
    );
  }

  /** The row's number; 0 while there is none. */
  get rowId(): number {
    return this.#rowId;
  }

  /** Oldest first. */
  list<L extends JournalList>(list: L): readonly JournalEntries[L][] {
    return this.#lists[list];
  }

  async append<L extends JournalList>(list: L, entry: JournalEntries[L]): Promise<void> {
    const entries = this.#lists[list];
    entries.push(entry);
    if (entries.length > MAX_ENTRIES_PER_LIST) entries.splice(oldestDispensable(entries), 1);
    await this.#save();
  }

  /** Changes the newest entries of those authorities, in one write. `activeX509` is what the row is found by. */
  async setStatus(
    list: JournalList,
    changes: readonly StatusChange[],
    activeX509?: string,
  ): Promise<void> {
    for (const { authorityId, status } of changes) {
      const entry = this.#lists[list].findLast((one) => one.authorityId === authorityId);
      if (entry === undefined) {
        throw new Fault('internal', `no journal entry found with authority ID "${authorityId}"`);
      }
      entry.status = status;
    }
    if (activeX509 !== undefined) this.#activeId = activeX509;
    await this.#save();
  }

  /** Resolves when everything is written; throws if it cannot be. */
  async flush(): Promise<void> {
    await this.#writing;
    if (!this.#saved) await this.#write();
  }

  async #save(): Promise<void> {
    if (this.#rowId === 0 && this.#activeId === '') {
      this.#log.debug(
        "There is no active X.509 authority yet. Can't save CA journal in the datastore",
      );
      return;
    }
    this.#saved = false;
    this.#writing = this.#writing
      .then(() => this.#write())
      .catch((error: unknown) => {
        this.#log.error('Unable to save the CA journal', { error: reasonOf(error) });
      });
    await this.#writing;
  }

  async #write(): Promise<void> {
    this.#saved = true; // what changes while this is being written is not in it
    if (this.#rowId === 0) this.#log.info('Creating a new CA journal entry');
    try {
      this.#rowId = await this.#store.save({
        id: this.#rowId,
        data: toBinary(EntriesSchema, this.#entries),
        activeX509AuthorityId: this.#activeId,
      });
      this.#log.debug('Successfully stored CA journal entry in datastore', {
        ca_journal_id: this.#rowId,
        local_authority_id: this.#activeId,
      });
    } catch (error) {
      this.#saved = false;
      throw wrapFault('unable to save the CA journal', error);
    }
  }
}

/**
 * The authority that signs must not be forgotten, however often its successor was prepared anew. Older ones may still
 * be called active: those that ended while no server ran.
 */
const oldestDispensable = (entries: readonly { readonly status: Status }[]): number =>
  entries.findLastIndex(({ status }) => status === Status.ACTIVE) === 0 ? 1 : 0;

/** Throws 'internal' for what is no journal. */
export function decodeEntries(data: Uint8Array): Entries {
  try {
    return fromBinary(EntriesSchema, data);
  } catch (error) {
    throw wrapFault('unable to unmarshal CA journal record', error, 'internal');
  }
}

function loaded(journal: Journal, log: Log): Journal {
  log.info('Journal loaded', {
    x509_cas: journal.list('x509CAs').length,
    jwt_keys: journal.list('jwtKeys').length,
    wit_keys: journal.list('witKeys').length,
  });
  return journal;
}

export { Status };
