import { createBackoff } from '../../base/backoff.ts';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, wrapFault } from '../../base/fault.ts';
import { buildCsr } from '../../crypto/csr.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import type { KeyManager, ManagedKey } from '../../plugins/key-manager/contract.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { Agent as AgentService } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { csrSubject } from '../csr-subject.ts';
import { isExpired, isX509RotationDue } from '../rotation.ts';
import { failureClass, isUnreachable, rpcFailure } from '../server/rpc-failure.ts';
import type { ServerConnection } from '../server/server-connection.ts';
import { Nap } from '../sync/nap.ts';
import { newAgentKey } from './agent-key.ts';
import { type AgentSvid, agentIdText, agentSvid, chainFromServer } from './agent-svid.ts';
import type { CurrentSvid } from './current-svid.ts';

export type AgentSvidRotatorDeps = {
  readonly current: CurrentSvid;
  readonly connection: Pick<ServerConnection, 'alone'>;
  readonly keyManager: KeyManager;
  /** Attests anew, verifying the server by the bundle we hold; the bundle it answers with is not used. */
  readonly attest: (
    key: ManagedKey,
    signal: AbortSignal,
  ) => Promise<{ readonly svid: AgentSvid; readonly bundle: Bundle }>;
  /** Stores a new SVID; its failure is told, and made good later. */
  readonly store: (svid: AgentSvid) => Promise<void>;
  /** Makes good what was removed from the data directory; resolves with whether anything was. */
  readonly mendStorage: () => Promise<boolean>;
  /** Whether workloads have SVIDs that are still good. */
  readonly hasValidSvids: () => boolean;
  readonly availabilityTargetSeconds: number;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

/** How often it is looked at, and how long after failures (`reference/agent.md` §2.11). */
const CHECK = { initialMs: 5000, maxMs: 120_000, multiplier: 1.5, jitter: 0.1 };

/** Keeps the agent's own SVID fresh (`reference/agent.md` §2.9). */
export class AgentSvidRotator {
  readonly #deps: AgentSvidRotatorDeps;
  readonly #nap: Nap;
  #isStored = true;
  /** The data directory was gone, and with it perhaps the keys. */
  #isToBeReplaced = false;
  #isPastExpiry = false;

  constructor(deps: AgentSvidRotatorDeps) {
    this.#deps = deps;
    this.#nap = new Nap(deps.clock);
    // An authority that is tainted may be revoked a moment later, and who is still its own then is shut out.
    deps.current.onTaint(() => this.#nap.wake());
  }

  /** Until the signal aborts. Rejects when the agent cannot go on with the SVID it has. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const backoff = createBackoff({ clock, random, ...CHECK });
    while (!signal.aborted) {
      try {
        await this.#mendStorage();
        if (this.#isToBeReplaced || this.#isDue()) await this.#replace(signal);
        else if (!this.#isStored) await this.#store(this.#deps.current.value);
        backoff.reset();
      } catch (error) {
        signal.throwIfAborted();
        this.#checkFatal(error);
      }
      await this.#nap.sleep(backoff.next() ?? CHECK.maxMs, signal);
    }
  }

  /** Attests anew, whatever the age of the SVID. Throws if that cannot be done. */
  async reattest(signal: AbortSignal): Promise<void> {
    if (!this.#deps.current.value.reattestable) {
      throw new Fault('failed-precondition', 'attestation method is not re-attestable');
    }
    await this.#replace(signal);
  }

  #isDue(): boolean {
    const { current, clock, availabilityTargetSeconds, random } = this.#deps;
    const rule = { availabilityTargetSeconds, random };
    return current.isTainted || isX509RotationDue(current.value.leaf, unixSeconds(clock), rule);
  }

  async #replace(signal: AbortSignal): Promise<void> {
    const { current, metrics, log } = this.#deps;
    const words = wordings[current.value.reattestable ? 'reattest' : 'renew'];
    log.debug(words.start);
    try {
      await timedCall(metrics, words.metric, () => this.#replaceAlone(signal));
    } catch (error) {
      if (!signal.aborted) log.error(words.failure, { error: error as Error });
      throw error;
    }
    this.#isToBeReplaced = false;
    this.#isPastExpiry = false;
    log.info(words.success, { spiffe_id: agentIdText(current.value) });
  }

  #replaceAlone(signal: AbortSignal): Promise<void> {
    const { current, connection, keyManager } = this.#deps;
    return connection.alone(async (call) => {
      const key = await newAgentKey(keyManager, current.value.key).catch((error: unknown) => {
        throw wrapFault('unable to generate private key', error);
      });
      const svid = current.value.reattestable
        ? (await this.#deps.attest(key, signal)).svid
        : await this.#renew(call, key, signal);
      // By its first use the server takes it for the only one: a restart must find it by then.
      await this.#store(svid);
      current.set(svid);
    });
  }

  async #store(svid: AgentSvid): Promise<void> {
    const { store, log } = this.#deps;
    try {
      await store(svid);
      this.#isStored = true;
    } catch (error) {
      this.#isStored = false;
      log.warn('Could not store SVID', { error: error as Error });
    }
  }

  async #renew(
    call: ServerConnection['call'],
    key: ManagedKey,
    signal: AbortSignal,
  ): Promise<AgentSvid> {
    const csr = await buildCsr({ subject: csrSubject, uris: [], dnsNames: [] }, key);
    const { svid } = await call(
      AgentService,
      (client, options) => client.renewAgent({ params: { csr } }, options),
      { signal },
    ).catch((error: unknown) => {
      this.#deps.log.error('Failed to renew agent', { error: error as Error });
      throw rpcFailure('failed to renew agent', error);
    });
    return agentSvid(chainFromServer(svid), key, false);
  }

  /** A key that only the memory holds would be lost with the process: all are written with the next new one. */
  async #mendStorage(): Promise<void> {
    const { mendStorage, log } = this.#deps;
    try {
      if (!(await mendStorage())) return;
      log.warn('The data directory was gone: made anew, and the agent SVID is replaced');
      this.#isToBeReplaced = true;
    } catch (error) {
      if (this.#isStored) log.warn('Could not store SVID', { error: error as Error });
      this.#isStored = false;
    }
  }

  /** Throws what ends the task: an SVID that has expired meanwhile, or a server that does not want us as we are. */
  #checkFatal(error: unknown): void {
    const { current, clock, log } = this.#deps;
    if (isExpired(current.value.leaf, unixSeconds(clock))) {
      if (this.#mayComeBack(error)) {
        if (!this.#isPastExpiry) log.warn(SERVING_ON, { error: error as Error });
        this.#isPastExpiry = true;
        return;
      }
      if (!current.value.reattestable) log.error(EXPIRED_REMEDY);
      const { what } = wordings[current.value.reattestable ? 'reattest' : 'renew'];
      throw wrapFault(`current SVID has already expired and ${what} failed`, error);
    }
    if (failureClass(error) !== undefined) throw error;
  }

  /**
   * SPIRE's agent ends as soon as its SVID has expired, and with it what it could still serve. As long as the server
   * cannot be reached (it is down, the network is, or our clock is wrong) there is no reason to: an agent that can attest
   * again will, and another one has nothing to lose while its workloads' SVIDs are good.
   */
  #mayComeBack(error: unknown): boolean {
    if (!isUnreachable(error)) return false;
    return this.#deps.current.value.reattestable || this.#deps.hasValidSvids();
  }
}

const SERVING_ON =
  'The agent SVID has expired and the server cannot be reached: serving what is still valid, and trying again';
const EXPIRED_REMEDY =
  'The agent SVID has expired, and this node attestation cannot be done again: start the agent with a new join token, or with a node attestor that can attest again';

const wordings = {
  renew: {
    what: 'rotate agent SVID',
    metric: ['agent_svid', 'rotate'],
    start: 'Rotating agent SVID',
    success: 'Successfully rotated agent SVID',
    failure: 'Could not rotate agent SVID',
  },
  reattest: {
    what: 'reattest agent',
    metric: ['node', 'attest'],
    start: 'Reattesting node',
    success: 'Successfully reattested node',
    failure: 'Could not reattest agent',
  },
} as const;
