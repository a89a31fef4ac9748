import type { Clock } from '../../../base/clock.ts';
import { kindOf, reasonOf } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import type { FederationRelationship } from '../../../spiffe/federation-relationship.ts';
import { secondsToNextRefresh } from './next-refresh.ts';

export type UpdaterDeps = {
  readonly stored: () => Bundle | undefined;
  readonly update: (relationship: FederationRelationship, signal: AbortSignal) => Promise<Bundle>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Polls for the bundle of one trust domain until it is stopped. */
export class Updater {
  readonly #deps: UpdaterDeps;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #relationship: FederationRelationship;
  #wake = new AbortController();

  constructor(relationship: FederationRelationship, deps: UpdaterDeps) {
    this.#deps = deps;
    this.#relationship = relationship;
    this.#loop = this.#run();
  }

  get relationship(): FederationRelationship {
    return this.#relationship;
  }

  /** Polls at once with another endpoint. */
  set relationship(relationship: FederationRelationship) {
    this.#relationship = relationship;
    this.#wake.abort();
  }

  /** One poll besides those that are due. Throws what it throws. */
  async refresh(signal: AbortSignal): Promise<void> {
    await this.#deps.update(this.#relationship, AbortSignal.any([signal, this.#stop.signal]));
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const seconds = await this.#poll(signal);
      if (signal.aborted) break;
      const at = clock.now() + seconds * 1000;
      log.debug('Scheduling next bundle refresh', { at: utcText(at) });
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      await clock.sleep(seconds * 1000, woken).catch((error: unknown) => {
        if (!woken.aborted) throw error;
      });
    }
    log.info('No longer polling for updates');
  }

  /** Seconds to the next one. */
  async #poll(signal: AbortSignal): Promise<number> {
    const { update, stored, log } = this.#deps;
    log.debug('Polling for bundle update');
    try {
      const bundle = await update(this.#relationship, signal);
      log.info('Bundle refreshed');
      return secondsToNextRefresh(bundle);
    } catch (error) {
      if (signal.aborted) return 0;
      log.error('Error updating bundle', { error: reasonOf(error) });
      return secondsToNextRefresh(kindOf(error) === 'failed-precondition' ? undefined : stored());
    }
  }
}

const utcText = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
