import type { LogFields } from '../../ops/log.ts';
import type { Authority, SlotId } from './authority.ts';
import type { JournalEntries, JournalList } from './journal.ts';

/** All that differs between X.509 CAs, JWT keys and WIT keys; the slots' state machine knows no more of them. */
export type AuthorityKind<A extends Authority, L extends JournalList = JournalList> = {
  /** As log lines name it. */
  readonly name: 'X509 CA' | 'JWT key' | 'WIT key';
  readonly journalList: L;
  /**
   * Makes a key under the slot's key manager ID, an authority of it, and puts that into the bundle. When it
   * resolves, whoever reads the bundle can verify what the authority signs.
   */
  prepare(slot: SlotId): Promise<A>;
  /** The entry of a new authority, its status PREPARED. */
  toJournal(slot: SlotId, authority: A): JournalEntries[L];
  /** The authority that the journal tells of, or why it is of no use any more. Throws if it cannot be decoded. */
  fromJournal(slot: SlotId, entry: JournalEntries[L]): Promise<A | Unusable>;
  /** Nobody accepts what it signs before that moment (Unix seconds). */
  validFrom(authority: A): number;
  /** What lines about it say besides slot, times and authority ID. */
  logFields(authority: A): { readonly prepared: LogFields; readonly activated: LogFields };
};

export type Unusable = { readonly unusable: string };
