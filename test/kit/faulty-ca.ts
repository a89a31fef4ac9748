import { Fault } from '../../src/base/fault.ts';
import { alwaysSteady } from '../../src/ops/clock-watch.ts';
import { silentLog } from '../../src/ops/log.ts';
import { noMetrics } from '../../src/ops/metrics.ts';
import { createMemoryKeyManager } from '../../src/plugins/key-manager/memory/memory-key-manager.ts';
import {
  type Authorities,
  type AuthoritiesConfig,
  startAuthorities,
} from '../../src/server/ca/start-authorities.ts';
import type { Bundle } from '../../src/spiffe/bundle.ts';
import { authoritiesConfig } from './authorities.ts';
import { MemoryBundles, MemoryCaJournals } from './ca-stores.ts';
import { VirtualClock } from './clock.ts';

/**
 * What happens to a write. After it `fails`, its caller is told so; after a `crash`, nobody is told anything any more.
 * Either may lie before the write, or after it, when it is done all the same.
 */
export type Trouble = 'fails' | 'crash' | 'fails late' | 'crash late';

/** A server's authorities over many processes, whose writes meet with trouble when the test wants it. */
export class FaultyCa {
  readonly journals = new MemoryCaJournals();
  readonly bundles = new MemoryBundles();
  readonly #keyManager = createMemoryKeyManager();
  readonly #config: AuthoritiesConfig;
  #trouble: { readonly what: Trouble; writesBefore: number } | undefined;
  #running: Process | undefined;
  #now: number;

  constructor(config: Partial<AuthoritiesConfig>, start = Date.UTC(2026, 0, 1)) {
    this.#config = { ...authoritiesConfig, ...config };
    this.#now = start;
  }

  /** Unix seconds. */
  get now(): number {
    return Math.floor((this.#running?.clock.now() ?? this.#now) / 1000);
  }

  get bundle(): Bundle {
    const bundle = this.bundles.get(this.#config.trustDomain);
    if (bundle === undefined) throw new Error('there is no bundle');
    return bundle;
  }

  /** undefined while no process runs. */
  get authorities(): Authorities | undefined {
    return this.#running?.authorities;
  }

  /** So many writes from now on go well; the next one does not. */
  expectTrouble(what: Trouble, writesBefore: number): void {
    this.#trouble = { what, writesBefore };
  }

  /** Whether it has not come yet. */
  get isTroubleAhead(): boolean {
    return this.#trouble !== undefined;
  }

  forgetTrouble(): void {
    this.#trouble = undefined;
  }

  /** Starts a process. Without one afterwards if it crashed or could not start. */
  async start(): Promise<void> {
    const process = new Process(this.#now);
    this.#running = process;
    const starting = startAuthorities({
      clockWatch: alwaysSteady,
      keyManager: this.#keys(process),
      datastore: { caJournals: this.#journalsOf(process) },
      registry: { bundles: this.#bundlesOf(process) },
      upstream: undefined,
      config: this.#config,
      metrics: noMetrics,
      clock: process.clock,
      log: silentLog,
    });
    process.authorities = await this.#unlessCrashed(starting).catch(() => undefined);
    if (process.authorities === undefined) this.#lose();
  }

  /** Ends the process in good order. */
  async stop(): Promise<void> {
    await this.#running?.authorities?.[Symbol.asyncDispose]();
    this.#lose();
  }

  /** What an operator does; undefined where the process crashed over it. Throws what it is told. */
  async act<T>(work: (authorities: Authorities) => Promise<T>): Promise<T | undefined> {
    const { authorities } = this;
    if (authorities === undefined) return undefined;
    const result = await this.#unlessCrashed(work(authorities));
    if (this.#running?.crashed) this.#lose();
    return result;
  }

  /** Time passes, with a process or without one. */
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= LOOK) {
      const step = Math.min(left, LOOK);
      if (this.#running === undefined) this.#now += step * 1000;
      else await this.#passRunning(this.#running, step);
    }
  }

  async #passRunning(process: Process, seconds: number): Promise<void> {
    await process.clock.advance({ seconds });
    while (process.clock.sleepers < LOOPS && !process.crashed) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (process.crashed) this.#lose();
  }

  #lose(): void {
    this.#now = this.#running?.clock.now() ?? this.#now;
    this.#running = undefined;
  }

  async #unlessCrashed<T>(work: Promise<T>): Promise<T | undefined> {
    const crash = this.#running?.crash.promise;
    return crash === undefined ? work : Promise.race([work, crash]);
  }

  async #write<T>(process: Process, write: () => Promise<T>, mayFailLate = true): Promise<T> {
    if (process.crashed) return never();
    const trouble = this.#trouble;
    if (trouble === undefined || trouble.writesBefore-- > 0) return write();
    this.#trouble = undefined;
    if (trouble.what === 'crash') return process.end();
    if (trouble.what === 'fails' || (trouble.what === 'fails late' && !mayFailLate)) throw LOST;
    await write();
    if (trouble.what === 'crash late') return process.end();
    throw LOST;
  }

  #keys(process: Process) {
    const keys = this.#keyManager;
    return {
      getKey: (id: string) => keys.getKey(id),
      getKeys: () => keys.getKeys(),
      generateKey: (...args: Parameters<typeof keys.generateKey>) =>
        this.#write(process, () => keys.generateKey(...args), false), // that much it promises
    };
  }

  #journalsOf(process: Process) {
    const { journals } = this;
    return {
      all: () => journals.all(),
      findByActiveX509Authority: (id: string) => journals.findByActiveX509Authority(id),
      save: (row: Parameters<typeof journals.save>[0]) =>
        this.#write(process, () => journals.save(row)),
      delete: (id: number) => this.#write(process, () => journals.delete(id)),
    };
  }

  #bundlesOf(process: Process) {
    const { bundles } = this;
    return {
      get: (trustDomain: Parameters<typeof bundles.get>[0]) => bundles.get(trustDomain),
      modify: (...args: Parameters<typeof bundles.modify>) =>
        this.#write(process, () => bundles.modify(...args)),
    };
  }
}

/** Seconds between two looks of the loop that rotates. */
const LOOK = 10;
/** Loops that sleep between their runs; when all do, they have come to rest. */
const LOOPS = 3;

const LOST = new Fault('unknown', 'datastore-sql: the connection is lost');

/** Nothing happens in a process that has ended. */
const never = () => new Promise<never>(() => undefined);

class Process {
  readonly clock: VirtualClock;
  readonly crash = Promise.withResolvers<undefined>();
  crashed = false;
  authorities: Authorities | undefined;

  constructor(now: number) {
    this.clock = new VirtualClock(now);
  }

  end(): Promise<never> {
    this.crashed = true;
    this.crash.resolve(undefined);
    return never();
  }
}
