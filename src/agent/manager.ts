import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Log } from '../ops/log.ts';
import { Agent as AgentService } from '../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { startBackoff } from './attest/attest-at-start.ts';
import type { CurrentSvid } from './attest/current-svid.ts';
import { type Rebootstrap, STRANGER_REMEDY } from './attest/rebootstrap.ts';
import type { AgentSvidRotator } from './attest/rotate-agent-svid.ts';
import type { X509Cache } from './cache/x509-cache.ts';
import { durationText } from './duration-text.ts';
import type { KeptFile } from './kept/kept-file.ts';
import {
  bareRpcFailure,
  failureClass,
  isUnknownAuthority,
  isUnreachable,
  rpcFailure,
} from './server/rpc-failure.ts';
import type { ServerConnection } from './server/server-connection.ts';
import type { AgentDataFile } from './storage/agent-data-file.ts';
import type { StoreService } from './svid-store/store-service.ts';
import type { AuthorizedEntries } from './sync/authorized-entries.ts';
import type { Synchronizer } from './sync/synchronizer.ts';
import { watchChanges } from './sync/watch-changes.ts';

export type ManagerDeps = {
  readonly current: CurrentSvid;
  readonly cache: X509Cache;
  readonly entries: AuthorizedEntries;
  readonly connection: ServerConnection;
  readonly synchronizer: Synchronizer;
  readonly rotator: AgentSvidRotator;
  readonly storeService: Pick<StoreService, 'run'>;
  readonly rebootstrap: Rebootstrap;
  /** What the last run left of workloads' SVIDs; undefined where they are not kept on disk. */
  readonly kept: Pick<KeptFile, 'load' | 'run' | 'forget'> | undefined;
  readonly storage: AgentDataFile;
  /** What the server is told that we are. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

/** Keeps the agent in step with its server, and knows what to do when the server turns it away. */
export class Manager {
  readonly #deps: ManagerDeps;

  constructor(deps: ManagerDeps) {
    this.#deps = deps;
  }

  /** The first synchronisation, tried again until the time is up (`reference/agent.md` §2.6). */
  async initialize(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const backoff = startBackoff(this.#deps);
    for (;;) {
      try {
        await this.#initializeOnce(signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        await this.#refuseAtStart(error);
        if (isUnknownAuthority(error)) await this.#meetStranger();
        else if (isUnreachable(error) && (await this.#serveKept())) return;
        const wait = backoff.next();
        if (wait === undefined) throw error;
        log.warn('Failed to initialize manager', {
          error: error as Error,
          retry_interval: durationText(wait),
        });
        await clock.sleep(wait, signal);
      }
    }
  }

  /** Until the signal aborts. Rejects when the agent must end (`reference/agent.md` §2.9). */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#deps;
    for (;;) {
      try {
        await this.#runTasks(signal);
      } catch (error) {
        if (signal.aborted) break;
        await this.#recover(error, signal);
      }
    }
    log.info('Cache manager stopped');
  }

  async #initializeOnce(signal: AbortSignal): Promise<void> {
    const { storage, current, cache, entries, synchronizer } = this.#deps;
    const { chain, reattestable } = current.value;
    const bundle = cache.bundle.x509Authorities.map(({ der }) => der);
    await storage.update({ svid: chain, reattestable, bundle });
    await this.#postStatus(signal);
    entries.clear();
    await synchronizer.synchronize(signal);
  }

  async #postStatus(signal: AbortSignal): Promise<void> {
    const { connection, version, log } = this.#deps;
    try {
      await connection.call(
        AgentService,
        (client, options) => client.postStatus({ agentVersion: version }, options),
        { signal },
      );
    } catch (error) {
      const failure = rpcFailure('failed to post agent status', error) as Error;
      log.warn('Failed to post agent status', { error: bareRpcFailure(error) as Error });
      log.error('Failed to post agent status', { error: failure, agent_version: version });
    }
  }

  /** The server is away: whether there is something to serve meanwhile. */
  async #serveKept(): Promise<boolean> {
    const { kept, cache, log } = this.#deps;
    const found = await kept?.load().catch((error: unknown) => {
      log.error('Could not use kept SVIDs', { error: error as Error });
      return undefined;
    });
    if (found === undefined || found.svids.size === 0) return false;
    cache.update(found.entries, found.bundles, () => false);
    cache.setSvids(found.svids);
    log.warn('The server cannot be reached: serving the SVIDs that were kept on disk', {
      count: found.svids.size,
    });
    return true;
  }

  /** Throws when the agent is to start anew (`reference/agent.md` §2.7). */
  async #meetStranger(): Promise<void> {
    const { rebootstrap, log } = this.#deps;
    if (!rebootstrap.isEnabled) log.error(STRANGER_REMEDY);
    else if (rebootstrap.isDue(log)) {
      log.info("Trust Bundle and Server don't agree, rebootstrapping");
      await rebootstrap.forgetAll();
      throw new Fault('failed-precondition', 'Agent needs to rebootstrap. shutting down');
    }
  }

  async #refuseAtStart(error: unknown): Promise<void> {
    const refusal = failureClass(error);
    if (refusal === undefined) return;
    this.#deps.log.error(refusedAtStart[refusal], { error: error as Error });
    await this.#deleteSvid();
    throw error;
  }

  /** All of them together; the first that fails ends the others. */
  async #runTasks(signal: AbortSignal): Promise<void> {
    const { synchronizer, rotator, storeService, kept, cache } = this.#deps;
    const ended = new AbortController();
    const end = () => {
      ended.abort(signal.reason);
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    const tasks = [
      synchronizer.run(ended.signal),
      synchronizer.runMinting(ended.signal),
      rotator.run(ended.signal),
      storeService.run(ended.signal),
      ...(kept === undefined ? [] : [kept.run(cache, ended.signal)]),
      watchChanges({ ...this.#deps, onChange: () => synchronizer.wake() }, ended.signal),
    ];
    try {
      await Promise.all(tasks);
    } finally {
      ended.abort(new Error('another task has failed'));
      signal.removeEventListener('abort', end);
      await Promise.allSettled(tasks);
    }
  }

  /** Resolves if the tasks may start again. */
  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { log } = this.#deps;
    switch (failureClass(error)) {
      case 'reattest':
        log.warn('Agent needs to re-attest; will attempt to re-attest', { error: error as Error });
        return this.#reattest(error, signal);
      case 'shut-down':
        log.warn('Agent is banned: removing SVID and shutting down', { error: error as Error });
        await this.#deleteSvid();
        throw error;
      case undefined:
        log.error('Cache manager crashed', { error: error as Error });
        throw error;
    }
  }

  async #reattest(refusal: unknown, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.rotator.reattest(signal);
    } catch (error) {
      if (signal.aborted) return; // `run` sees it
      this.#deps.log.error('Agent failed re-attestation; removing SVID and shutting down', {
        error: error as Error,
      });
      await this.#deleteSvid();
      throw refusal;
    }
  }

  async #deleteSvid(): Promise<void> {
    await this.#deps.kept?.forget();
    await this.#deps.storage.update({ svid: [] }).catch((error: unknown) => {
      this.#deps.log.error('Could not delete SVID', { error: error as Error });
    });
  }
}

const refusedAtStart = {
  reattest: 'Agent needs to re-attest: removing SVID and shutting down',
  'shut-down': 'Agent is banned: removing SVID and shutting down',
} as const;
