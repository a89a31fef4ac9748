import { setImmediate as letOthersRun } from 'node:timers/promises';
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../ops/log.ts';
import { isBanned } from '../../../spiffe/agent.ts';
import type { Entry } from '../../../spiffe/entry.ts';
import type { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { AgentRegistry, BundleRegistry, EntryRegistry } from '../../registry/contract.ts';
import { Watcher } from './watcher.ts';

export type ChangeWatchDeps = {
  readonly trustDomain: TrustDomain;
  readonly entries: Pick<EntryRegistry, 'authorizedFor' | 'onChange'>;
  readonly agents: Pick<AgentRegistry, 'get'>;
  readonly bundles: Pick<BundleRegistry, 'onChange'>;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
};

/** Ended by disposing it. */
export interface Watching extends Disposable {
  /** True when there is news; false when the watch is over or the signal has aborted. One caller at a time. */
  next(signal: AbortSignal): Promise<boolean>;
}

/**
 * A watch ends after this time, give or take a tenth: a connection that has become old ends with its last call, and the
 * agent is authorised anew.
 */
const WATCH_MILLISECONDS = 60_000;
/** So many watches of one agent: its connection may be replaced before the server knows that it is dead. */
const MAX_WATCHES_PER_AGENT = 4;
/** Changes that come closer together than this are told as one. */
const MIN_PAUSE_MILLISECONDS = 20;
/** A look at thousands of watches may use a tenth of the time, no more. */
const PAUSE_FACTOR = 10;
/** So many are looked at without a pause. */
const SLICE = 256;
/** So many agents are told at once, then there is a pause: each of them comes back with several calls. */
const TOLD_AT_ONCE = 32;

/**
 * Tells agents when something of theirs changed: entries that they may serve, a bundle of these, the own trust domain's
 * bundle, or that they are banned or gone.
 *
 * After a change all watches are looked at once, whatever number of changes there were: an agent's authorised entries
 * are one remembered list as long as nothing in them changed, so a look is a comparison. A new watch has not been told
 * anything, and so is told by the next look, which is at new ones only if nothing has changed.
 */
export class ChangeWatch implements Disposable {
  readonly #deps: ChangeWatchDeps;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #stopped = new AbortController();
  readonly #stopListening: readonly (() => void)[];
  /** Trust domains whose bundles changed since the last look. */
  #changedBundles = new Set<string>();
  /** Watches that nobody has looked at yet; those of a fleet begin anew all the time. */
  #fresh = new Set<Watcher>();
  #hasChanged = false;
  #looking = false;

  constructor(deps: ChangeWatchDeps) {
    this.#deps = deps;
    const changed = () => {
      this.#hasChanged = true;
      this.#wake();
    };
    this.#stopListening = [
      deps.entries.onChange(changed),
      deps.bundles.onChange(({ name }) => {
        this.#changedBundles.add(name);
        changed();
      }),
    ];
  }

  /** Watches for that agent until disposed. The oldest watch of an agent ends when it has too many. */
  watch(agent: SpiffeId): Watching {
    const key = agent.toString();
    const watchers = this.#watchers.get(key) ?? new Set<Watcher>();
    this.#watchers.set(key, watchers);
    const watcher = new Watcher(agent);
    watchers.add(watcher);
    for (const oldest of watchers) {
      if (watchers.size <= MAX_WATCHES_PER_AGENT) break;
      watchers.delete(oldest);
      oldest.end();
    }
    this.#fresh.add(watcher);
    this.#wake();
    const lifetime = Math.round(WATCH_MILLISECONDS * (0.9 + 0.2 * this.#deps.random()));
    const patience = AbortSignal.timeout(lifetime);
    return {
      next: (signal) => watcher.next(AbortSignal.any([signal, patience, this.#stopped.signal])),
      [Symbol.dispose]: () => {
        watchers.delete(watcher);
        this.#fresh.delete(watcher);
        if (watchers.size === 0 && this.#watchers.get(key) === watchers) this.#watchers.delete(key);
      },
    };
  }

  /** How many watches there are. */
  get size(): number {
    let size = 0;
    for (const watchers of this.#watchers.values()) size += watchers.size;
    return size;
  }

  /** Nothing is told any more. */
  [Symbol.dispose](): void {
    for (const stop of this.#stopListening) stop();
    this.#stopped.abort(new Error('the server is stopping'));
  }

  #wake(): void {
    if (this.#looking || this.#watchers.size === 0) return;
    this.#looking = true;
    this.#run()
      .catch((error: unknown) => {
        if (this.#stopped.signal.aborted) return;
        this.#deps.log.error('Could not look for what changed', { error: error as Error });
      })
      .finally(() => {
        this.#looking = false;
      });
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    while (this.#hasChanged || this.#fresh.size > 0) {
      await letOthersRun(); // whoever changes something often changes more at once
      const began = performance.now();
      await this.#look();
      const took = performance.now() - began;
      await clock.sleep(
        Math.max(MIN_PAUSE_MILLISECONDS, PAUSE_FACTOR * took),
        this.#stopped.signal,
      );
    }
  }

  async #look(): Promise<void> {
    const bundles = this.#changedBundles;
    this.#changedBundles = new Set();
    const watchers = this.#hasChanged
      ? [...this.#watchers.values()].flatMap((own) => [...own])
      : [...this.#fresh];
    this.#hasChanged = false;
    this.#fresh = new Set();
    let told = 0;
    for (const [index, watcher] of watchers.entries()) {
      if (index % SLICE === SLICE - 1) await letOthersRun();
      if (!this.#tell(watcher, bundles)) continue;
      told += 1;
      if (told % TOLD_AT_ONCE === 0) {
        await this.#deps.clock.sleep(MIN_PAUSE_MILLISECONDS, this.#stopped.signal);
      }
    }
  }

  /** Whether there was something to tell. */
  #tell(watcher: Watcher, bundles: ReadonlySet<string>): boolean {
    const { agents, entries, trustDomain } = this.#deps;
    const agent = agents.get(watcher.agent);
    if (agent === undefined || isBanned(agent)) {
      watcher.tell();
      watcher.end();
      return true;
    }
    const former = watcher.entries;
    const now = entries.authorizedFor(watcher.agent);
    watcher.entries = now;
    const isNews =
      now !== former ||
      bundles.has(trustDomain.name) ||
      (bundles.size > 0 && federateWithAny(now, bundles));
    if (isNews) watcher.tell();
    return isNews;
  }
}

const federateWithAny = (entries: readonly Entry[], names: ReadonlySet<string>): boolean =>
  entries.some(({ federatesWith }) => federatesWith.some(({ name }) => names.has(name)));
