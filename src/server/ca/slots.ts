import type { Clock } from '../../base/clock.ts';
import { unixSeconds } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Log, LogFields } from '../../ops/log.ts';
import { type Authority, otherSlot, type SlotId } from './authority.ts';
import type { AuthorityKind, Unusable } from './authority-kind.ts';
import { type Journal, type JournalEntries, type JournalList, Status } from './journal.ts';
import { activateTime, noticeTime, prepareTime } from './thresholds.ts';

export type SlotStatus = 'unknown' | 'prepared' | 'active' | 'old';

/** One of the two places. What became old stays visible in it until the next is prepared there. */
export type Slot<A extends Authority> = {
  readonly id: SlotId;
  readonly held: { readonly authority: A; readonly status: SlotStatus } | undefined;
};

/** What may be done to the slots, one step after the other. */
export type SlotSteps<A extends Authority> = {
  /** Prepares an authority in the next slot, over what is there: that is lost even if this throws. */
  prepareNext(): Promise<A>;
  /** The prepared authority signs from now on; the one that did becomes old. */
  activateNext(): Promise<A>;
};

export type SlotsDeps<A extends Authority, L extends JournalList> = {
  readonly kind: AuthorityKind<A, L>;
  readonly journal: Journal;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  /** Called when another authority signs from now on. */
  readonly activated?: (authority: A) => void;
};

/**
 * The authorities of one kind (`reference/server.md` §6.1): the current one signs, the next one is known to
 * everybody before it takes over. Changes are made one at a time; the journal tells of each before the next, so
 * that a crash between any two steps leaves what the next start can go on with.
 */
export class AuthoritySlots<A extends Authority, L extends JournalList = JournalList> {
  readonly #kind: AuthorityKind<A, L>;
  readonly #journal: Journal;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Log;
  readonly #activated: (authority: A) => void;
  #current: Slot<A> = { id: 'A', held: undefined };
  #next: Slot<A> = { id: 'B', held: undefined };
  #active: A | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ kind, journal, clock, log, activated }: SlotsDeps<A, L>) {
    this.#kind = kind;
    this.#journal = journal;
    this.#clock = clock;
    this.#log = log;
    this.#activated = activated ?? (() => undefined);
  }

  get current(): Slot<A> {
    return this.#current;
  }

  get next(): Slot<A> {
    return this.#next;
  }

  /** What signs now, or undefined before the first is active. */
  get active(): A | undefined {
    return this.#active;
  }

  /** Takes over what the journal tells of, newest first, as far as it is still of use. `rotate` activates it. */
  async load(): Promise<void> {
    const { active, waiting } = await this.#fromJournal();
    const current = active ?? waiting;
    if (current === undefined) return;
    this.#current = current;
    this.#next =
      waiting && waiting.id !== current.id
        ? waiting
        : { id: otherSlot(current.id), held: undefined };
  }

  /** One round: prepares and activates whatever is due. Throws if a step fails; the next round tries again. */
  rotate(): Promise<void> {
    return this.#exclusively(() => this.#rotate());
  }

  /** What an operator asks for: what the work sees of the slots stays so until it has ended, but for its own steps. */
  inTurn<T>(work: (steps: SlotSteps<A>) => Promise<T>): Promise<T> {
    return this.#exclusively(() => work(this.#steps));
  }

  readonly #steps: SlotSteps<A> = {
    prepareNext: () => this.#prepareNext(),
    activateNext: () => this.#activateNext(),
  };

  async #rotate(): Promise<void> {
    this.#tellOfTheFuture();
    if (!this.#usable(this.#current) && this.#usable(this.#next)) await this.#activateNext();
    if (!this.#usable(this.#current)) await this.#prepareCurrent();
    const current = this.#usable(this.#current);
    if (current === undefined) throw new Fault('internal', `${this.#kind.name} expired at once`);
    const now = this.#now();
    const isOver = () => {
      const next = this.#usable(this.#next);
      return next !== undefined && now > activateTime(current) && now >= noticeTime(current, next);
    };
    // What can sign does so whether or not its successor can be made.
    if (this.#active !== current && !isOver()) await this.#activate(current);
    if (!this.#usable(this.#next) && now > prepareTime(current)) await this.#prepareNext();
    if (isOver()) await this.#activateNext();
  }

  async #prepareCurrent(): Promise<void> {
    const { id } = this.#current;
    await this.#journal.flush();
    this.#current = { id, held: { authority: await this.#prepare(id), status: 'prepared' } };
  }

  async #prepareNext(): Promise<A> {
    const { id, held } = this.#next;
    // Making a key destroys the slot's former one; the journal must not need that any more.
    await this.#journal.flush();
    this.#next = { id, held: held && { ...held, status: 'old' } };
    const prepared = await this.#prepare(id);
    this.#next = { id, held: { authority: prepared, status: 'prepared' } };
    return prepared;
  }

  async #activateNext(): Promise<A> {
    const authority = this.#usable(this.#next);
    if (authority === undefined) throw new Fault('internal', `no ${this.#kind.name} is prepared`);
    const { id, held } = this.#current;
    this.#current = this.#next;
    this.#next = { id, held: held && { ...held, status: 'old' } };
    await this.#activate(authority, held?.authority);
    return authority;
  }

  async #prepare(id: SlotId): Promise<A> {
    this.#log.debug(`Preparing ${this.#kind.name}`, { slot: id });
    const authority = await this.#kind.prepare(id);
    await this.#journal.append(this.#kind.journalList, this.#kind.toJournal(id, authority));
    this.#log.info(`${this.#kind.name} prepared`, {
      ...lifeFields(id, authority),
      ...this.#kind.logFields(authority).prepared,
    });
    return authority;
  }

  async #activate(authority: A, former?: A): Promise<void> {
    const { id } = this.#current;
    this.#current = { id, held: { authority, status: 'active' } };
    this.#active = authority;
    const list = this.#kind.journalList;
    const { authorityId } = authority;
    const changes = [
      ...(former ? [{ authorityId: former.authorityId, status: Status.OLD }] : []),
      { authorityId, status: Status.ACTIVE },
    ];
    await this.#journal.setStatus(list, changes, list === 'x509CAs' ? authorityId : undefined);
    this.#log.info(`${this.#kind.name} activated`, {
      ...lifeFields(id, authority),
      ...this.#kind.logFields(authority).activated,
    });
    this.#activated(authority);
  }

  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(change);
    this.#turn = mine.catch(() => undefined); // its caller is told
    return mine;
  }

  async #fromJournal(): Promise<{ active?: Slot<A>; waiting?: Slot<A> }> {
    const found: { active?: Slot<A>; waiting?: Slot<A> } = {};
    for (const entry of this.#journal.list(this.#kind.journalList).toReversed()) {
      const place = entry.status === Status.ACTIVE ? 'active' : 'waiting';
      if (found[place] !== undefined) continue;
      const slot = await this.#slotOf(entry);
      if (slot !== undefined) found[place] = slot;
      if (found.active && found.waiting) break;
    }
    return found;
  }

  async #slotOf(entry: JournalEntries[L]): Promise<Slot<A> | undefined> {
    const id = slotId(entry.slotId);
    const authority = id === undefined ? NO_SLOT_ID : await this.#authorityOf(id, entry);
    if (id !== undefined && !('unusable' in authority)) {
      return { id, held: { authority, status: slotStatuses.get(entry.status) ?? 'unknown' } };
    }
    this.#log.warn(`${this.#kind.name} slot unusable`, {
      slot: entry.slotId,
      issued_at: date(Number(entry.issuedAt)),
      expiration: date(Number(entry.notAfter)),
      local_authority_id: entry.authorityId,
      error: 'unusable' in authority ? authority.unusable : undefined,
    });
    return undefined;
  }

  async #authorityOf(id: SlotId, entry: JournalEntries[L]): Promise<A | Unusable> {
    if (Number(entry.notAfter) <= this.#now()) return { unusable: 'slot expired' };
    return this.#kind.fromJournal(id, entry);
  }

  /** What the slot holds, if it could sign: neither old nor expired, nor made at a later date than this. */
  #usable({ held }: Slot<A>): A | undefined {
    if (held === undefined || held.status === 'old') return undefined;
    if (this.#isOfTheFuture(held.authority)) return undefined;
    return held.authority.notAfter > this.#now() ? held.authority : undefined;
  }

  #isOfTheFuture(authority: A): boolean {
    return this.#kind.validFrom(authority) > this.#now() + MAX_WAIT_SECONDS;
  }

  /** Nobody would accept what it signs, until its time has come: another takes its place. */
  #tellOfTheFuture(): void {
    const { id, held } = this.#current;
    if (held === undefined || !this.#isOfTheFuture(held.authority)) return;
    this.#log.warn(
      `${this.#kind.name} is not valid yet and is replaced; the clock must have been set back`,
      lifeFields(id, held.authority),
    );
  }

  #now = (): number => unixSeconds(this.#clock);
}

/** An authority that becomes valid so soon is waited for: its successor would not be known any earlier. */
const MAX_WAIT_SECONDS = 5 * 60;

const NO_SLOT_ID: Unusable = { unusable: 'no slot id' };

const slotId = (text: string): SlotId | undefined =>
  text === 'A' || text === 'B' ? text : undefined;

const slotStatuses: ReadonlyMap<Status, SlotStatus> = new Map([
  [Status.PREPARED, 'prepared'],
  [Status.ACTIVE, 'active'],
  [Status.OLD, 'old'],
]);

const lifeFields = (slot: SlotId, authority: Authority): LogFields => ({
  slot,
  issued_at: date(authority.issuedAt),
  expiration: date(authority.notAfter),
  local_authority_id: authority.authorityId,
});

const date = (unixSeconds: number): Date => new Date(unixSeconds * 1000);
