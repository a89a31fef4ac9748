import type { AgentSvid } from './agent-svid.ts';

/** The SVID that the agent goes by now. */
export class CurrentSvid {
  #svid: AgentSvid;
  #isTainted = false;
  readonly #listeners: (() => void)[] = [];
  readonly #taintListeners: (() => void)[] = [];

  constructor(svid: AgentSvid) {
    this.#svid = svid;
  }

  get value(): AgentSvid {
    return this.#svid;
  }

  /** Whether an authority that signed it was called tainted, so that it must be replaced whatever its age. */
  get isTainted(): boolean {
    return this.#isTainted;
  }

  set(svid: AgentSvid): void {
    this.#svid = svid;
    this.#isTainted = false;
    for (const listener of this.#listeners) listener();
  }

  /** Called each time that there is a new one. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  taint(): void {
    this.#isTainted = true;
    for (const listener of this.#taintListeners) listener();
  }

  /** Called when the SVID must no longer be used. */
  onTaint(listener: () => void): void {
    this.#taintListeners.push(listener);
  }
}
