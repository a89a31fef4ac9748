import type { Agent } from '../../spiffe/agent.ts';
import type { Entry } from '../../spiffe/entry.ts';
import type { Selector } from '../../spiffe/selector.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { EntryIndex } from './entry-index.ts';
import { NodeAliases } from './node-aliases.ts';

type Deps = {
  readonly trustDomain: TrustDomain;
  readonly index: Pick<EntryIndex, 'byParentId' | 'bySpiffeId'>;
};

/**
 * Which entries an agent may serve (`reference/server.md` §9): those below its own ID and below the aliases that apply to
 * it, all the way down.
 *
 * What was found is remembered by where it starts from, so agents that differ in nothing else share one answer; a change
 * of an entry forgets only the answers that start above it. An entry has one parent and each parent is visited once, so
 * none is found twice and cycles end.
 */
export class AuthorizedEntries {
  readonly #trustDomain: TrustDomain;
  readonly #index: Deps['index'];
  readonly #serverId: string;
  readonly #aliases = new NodeAliases();
  #aliasRevision = 0;
  readonly #agents = new Map<string, AgentState>();
  readonly #answers = new Map<string, Answer>();
  readonly #answersByStart = new Map<string, Set<Answer>>();

  constructor({ trustDomain, index }: Deps) {
    this.#trustDomain = trustDomain;
    this.#index = index;
    this.#serverId = SpiffeId.server(trustDomain).toString();
  }

  /** The same array as long as nothing changed. An agent that is not known has no aliases, and is not remembered. */
  of(id: SpiffeId, agent: Agent | undefined): readonly Entry[] {
    return this.#answerFor(id, agent).entries;
  }

  has(id: SpiffeId, agent: Agent | undefined, entry: Entry): boolean {
    return this.#answerFor(id, agent).includes(entry);
  }

  /** To be told of each change, when the index holds it. */
  entryChanged(before: Entry | undefined, after: Entry | undefined): void {
    for (const entry of [before, after]) {
      if (entry === undefined) continue;
      if (this.#isAlias(entry)) this.#aliasRevision += 1;
      else this.#forgetAbove(entry.parentId.toString());
    }
    if (before !== undefined) this.#aliases.remove(before.id);
    if (after !== undefined && this.#isAlias(after) && this.#isOurs(after))
      this.#aliases.put(after);
  }

  agentRemoved(id: SpiffeId): void {
    const state = this.#agents.get(id.toString());
    if (state === undefined) return;
    this.#agents.delete(id.toString());
    this.#release(state.answer);
  }

  /** How much is remembered. */
  get remembered(): { readonly agents: number; readonly answers: number; readonly starts: number } {
    return {
      agents: this.#agents.size,
      answers: this.#answers.size,
      starts: this.#answersByStart.size,
    };
  }

  #answerFor(id: SpiffeId, agent: Agent | undefined): Answer {
    const own = id.toString();
    if (agent === undefined) return this.#find([own]);
    const known = this.#agents.get(own);
    const withOwn = this.#index.byParentId.has(own);
    if (known !== undefined && this.#isCurrent(known, agent, withOwn)) return known.answer;
    const aliases = this.#aliases.of(agent.selectors).filter((alias) => alias !== own);
    const answer = this.#remember(withOwn ? [own, ...aliases] : aliases);
    answer.users += 1;
    if (known !== undefined) this.#release(known.answer);
    this.#agents.set(own, {
      selectors: agent.selectors,
      aliasRevision: this.#aliasRevision,
      withOwn,
      answer,
    });
    return answer;
  }

  #isCurrent(state: AgentState, { selectors }: Agent, withOwn: boolean): boolean {
    return (
      state.answer.current &&
      state.withOwn === withOwn &&
      state.aliasRevision === this.#aliasRevision &&
      state.selectors === selectors
    );
  }

  #remember(starts: readonly string[]): Answer {
    const key = starts.join(' '); // no SPIFFE ID holds a space
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#find(starts);
    this.#answers.set(key, answer);
    for (const start of starts) {
      const answers = this.#answersByStart.get(start) ?? new Set<Answer>();
      this.#answersByStart.set(start, answers.add(answer));
    }
    return answer;
  }

  #find(starts: readonly string[]): Answer {
    const entries: Entry[] = [];
    const parents = new Set(starts);
    for (const parent of parents) {
      if (parent === this.#serverId) continue; // what is below are the aliases
      for (const { value: entry } of this.#index.byParentId.get(parent)) {
        if (!this.#isOurs(entry)) continue;
        entries.push(entry);
        parents.add(entry.spiffeId.toString());
      }
    }
    return new Answer(starts, entries);
  }

  /** Forgets each answer that starts at that parent or at anything above it. */
  #forgetAbove(parent: string): void {
    if (this.#answers.size === 0) return;
    const above = new Set([parent]);
    for (const id of above) {
      if (above.size > MAX_ABOVE) {
        for (const answer of this.#answers.values()) this.#forget(answer);
        return;
      }
      for (const answer of this.#answersByStart.get(id) ?? []) this.#forget(answer);
      for (const { value: entry } of this.#index.bySpiffeId.get(id)) {
        if (!this.#isAlias(entry)) above.add(entry.parentId.toString());
      }
    }
  }

  #release(answer: Answer): void {
    answer.users -= 1;
    if (answer.users === 0 && answer.current) this.#forget(answer);
  }

  #forget(answer: Answer): void {
    answer.current = false;
    this.#answers.delete(answer.starts.join(' '));
    for (const start of answer.starts) {
      const answers = this.#answersByStart.get(start);
      answers?.delete(answer);
      if (answers?.size === 0) this.#answersByStart.delete(start);
    }
  }

  #isAlias({ parentId }: Entry): boolean {
    return parentId.toString() === this.#serverId;
  }

  /** What lies outside the trust domain is ignored. */
  #isOurs({ spiffeId }: Entry): boolean {
    return spiffeId.memberOf(this.#trustDomain);
  }
}

/** What has more parents above it than this concerns most agents: then every answer is forgotten, and no more walked. */
const MAX_ABOVE = 1_000;

/** What an agent was last told, and what that rested on. */
type AgentState = {
  readonly selectors: readonly Selector[];
  readonly aliasRevision: number;
  readonly withOwn: boolean;
  readonly answer: Answer;
};

class Answer {
  readonly starts: readonly string[];
  readonly entries: readonly Entry[];
  /** Whether nothing has changed since. */
  current = true;
  /** How many agents were told this last. */
  users = 0;
  #members: ReadonlySet<Entry> | undefined;

  constructor(starts: readonly string[], entries: readonly Entry[]) {
    this.starts = starts;
    this.entries = entries;
  }

  includes(entry: Entry): boolean {
    this.#members ??= new Set(this.entries);
    return this.#members.has(entry);
  }
}
