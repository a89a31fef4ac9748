import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../ops/log.ts';
import { durationText } from '../duration-text.ts';
import type { AgentDataFile } from '../storage/agent-data-file.ts';

export type RebootstrapDeps = {
  readonly mode: 'never' | 'auto' | 'always';
  /** How long the server must have been a stranger before it is believed that it was set up anew. */
  readonly delayMilliseconds: number;
  readonly storage: Pick<AgentDataFile, 'data' | 'update'>;
  /** Removes SVIDs of workloads that are kept on disk. */
  readonly forgetKept: () => Promise<void>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
};

const NOT_ALLOWED =
  'you have requested rebootstrap support but the NodeAttestor plugin or the spire server configuration is not allowing it';

/** What a person has to do where the agent may not; SPIRE leaves it to be guessed. */
export const STRANGER_REMEDY =
  "The server's certificate does not stem from the trust bundle that this agent holds. If the server was set up anew, stop the agent, remove agent-data.json from its data directory, provide the new trust bundle, and start it again; or set rebootstrap_mode. If it was not, somebody else may be answering at its address.";

/** Starting anew with a server whose authorities are not those we know (`reference/agent.md` §2.7). */
export class Rebootstrap {
  readonly #deps: RebootstrapDeps;
  #isDisabled = false;
  #strangerSince: number | undefined;

  constructor(deps: RebootstrapDeps) {
    this.#deps = deps;
  }

  get isEnabled(): boolean {
    return this.#deps.mode !== 'never' && !this.#isDisabled;
  }

  /** Whether attesting anew is possible at all, as far as an earlier attestation tells. Throws in mode `always`. */
  check(reattestable: boolean): void {
    if (!this.isEnabled || reattestable) return;
    if (this.#deps.mode === 'always') throw new Fault('failed-precondition', NOT_ALLOWED);
    this.#deps.log.warn(`${NOT_ALLOWED}. Disabling`);
    this.#isDisabled = true;
  }

  /** The server is a stranger: whether it has been one for long enough. The log is that of whoever found it out. */
  isDue(log: Log): boolean {
    const { delayMilliseconds, clock } = this.#deps;
    const now = clock.now();
    this.#strangerSince ??= now;
    // A clock that was set back must not make it wait longer than from now on.
    this.#strangerSince = Math.min(this.#strangerSince, now);
    const left = this.#strangerSince + delayMilliseconds - now;
    if (left <= 0) return true;
    log.info("Trust Bundle and Server don't agree, ignoring for now", {
      time_left: durationText(left),
    });
    return false;
  }

  /** The server is the one we know. */
  trusted(): void {
    this.#strangerSince = undefined;
  }

  /** Forgets whom to trust; the next attestation finds it out again. */
  forgetBundle(): Promise<void> {
    return this.#deps.storage.update({ bundle: [] });
  }

  /** Forgets everything, so that the next run attests anew, to whoever the bootstrap source vouches for. */
  async forgetAll(): Promise<void> {
    const { storage, forgetKept, clock } = this.#deps;
    await forgetKept();
    await storage.update({
      svid: [],
      bundle: [],
      bootstrap: { use: 'rebootstrap', startedAt: clock.now(), attempts: 0 },
    });
  }
}
