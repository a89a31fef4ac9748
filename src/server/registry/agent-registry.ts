import { Fault, kindOf } from '../../base/fault.ts';
import { type Agent, isBanned } from '../../spiffe/agent.ts';
import { selectorText } from '../../spiffe/selector.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { AgentPruneRule, AgentStore, AgentUpdate, Row } from '../datastore/contract.ts';
import type { AgentFilter, AgentRegistry } from './contract.ts';
import { RowIndex } from './row-index.ts';
import { RowList } from './row-list.ts';
import { setCondition } from './set-match.ts';

type Deps = {
  readonly store: AgentStore;
  /** Told when an agent is new, has other selectors, was banned, or is gone. */
  readonly changed: (id: SpiffeId, agent: Agent | undefined) => void;
  /** Told which entries went with an agent. */
  readonly entriesDeleted: (entryIds: readonly string[]) => void;
};

export class MemoryAgents implements AgentRegistry {
  readonly #deps: Deps;
  readonly #store: AgentStore;
  readonly #byId = new Map<string, Row<Agent>>();
  readonly #rows = new RowList<Agent>();
  readonly #bySelector = new RowIndex<Agent>(selectorTexts);

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#store = deps.store;
  }

  get(id: SpiffeId): Agent | undefined {
    return this.#byId.get(id.toString())?.value;
  }

  rows(): readonly Row<Agent>[] {
    return this.#rows.snapshot();
  }

  select(filter: AgentFilter): readonly Row<Agent>[] {
    const { attestationType, banned, canReattest, expiresBeforeUnixSeconds } = filter;
    const selectors = this.#selectorCondition(filter);
    return (selectors?.candidates ?? this.rows()).filter(
      ({ value: agent }) =>
        (attestationType === undefined || agent.attestationType === attestationType) &&
        (banned === undefined || isBanned(agent) === banned) &&
        (canReattest === undefined || agent.canReattest === canReattest) &&
        (expiresBeforeUnixSeconds === undefined || agent.expiresAt < expiresBeforeUnixSeconds) &&
        (selectors === undefined || selectors.holds(selectorTexts(agent))),
    );
  }

  async confirm(id: SpiffeId): Promise<Agent | undefined> {
    const row = await this.#store.get(id);
    if (row === undefined) this.forget([id]);
    else this.put(row);
    return row?.value;
  }

  async attested(agent: Agent): Promise<Agent> {
    return this.put(await this.#store.attested(agent));
  }

  async update(id: SpiffeId, update: AgentUpdate): Promise<Agent> {
    return this.put(await this.#orForget(id, this.#store.update(id, update)));
  }

  async activate(id: SpiffeId, newSerialNumber: string): Promise<Agent> {
    return this.put(await this.#orForget(id, this.#store.activate(id, newSerialNumber)));
  }

  async ban(id: SpiffeId): Promise<Agent> {
    return this.put(await this.#orForget(id, this.#store.ban(id)));
  }

  async delete(id: SpiffeId): Promise<void> {
    const { entriesDeleted } = await this.#orForget(id, this.#store.delete(id));
    this.forget([id]);
    this.#deps.entriesDeleted(entriesDeleted);
  }

  async pruneExpired(rule: AgentPruneRule): Promise<readonly SpiffeId[]> {
    const { agents, entriesDeleted } = await this.#store.pruneExpired(rule);
    this.forget(agents);
    this.#deps.entriesDeleted(entriesDeleted);
    return agents;
  }

  /** Takes what the datastore holds, which is always the newest there is: its calls resolve in order. */
  put(row: Row<Agent>): Agent {
    const agent = row.value;
    const known = this.#byId.get(agent.id.toString());
    if (known !== undefined) this.#drop(known);
    this.#byId.set(agent.id.toString(), row);
    this.#rows.put(row);
    this.#bySelector.put(row);
    if (
      known === undefined ||
      !haveSameSelectors(known.value, agent) ||
      isBanned(known.value) !== isBanned(agent)
    ) {
      this.#deps.changed(agent.id, agent);
    }
    return agent;
  }

  forget(ids: readonly SpiffeId[]): void {
    for (const id of ids) {
      const known = this.#byId.get(id.toString());
      if (known === undefined) continue;
      this.#drop(known);
      this.#deps.changed(id, undefined);
    }
  }

  /** Another server may have deleted it. */
  #orForget<T>(id: SpiffeId, written: Promise<T>): Promise<T> {
    return written.catch((error: unknown) => {
      if (kindOf(error) === 'not-found') this.forget([id]);
      throw error;
    });
  }

  #drop(row: Row<Agent>): void {
    this.#byId.delete(row.value.id.toString());
    this.#rows.remove(row.rowId);
    this.#bySelector.remove(row);
  }

  #selectorCondition({ selectors }: AgentFilter) {
    if (selectors === undefined) return undefined;
    if (selectors.set.length === 0) {
      throw new Fault('invalid', 'cannot list by empty selectors set');
    }
    const filter = new Set(selectors.set.map(selectorText));
    return setCondition(selectors.match, filter, this.#bySelector);
  }
}

const selectorTexts = ({ selectors }: Agent): readonly string[] => selectors.map(selectorText);

function haveSameSelectors(a: Agent, b: Agent): boolean {
  const [left, right] = [selectorTexts(a), new Set(selectorTexts(b))];
  return left.length === right.size && left.every((text) => right.has(text));
}
