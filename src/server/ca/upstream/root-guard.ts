import { createBackoff } from '../../../base/backoff.ts';
import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { Fault, reasonOf } from '../../../base/fault.ts';
import { type Certificate, parseCertificate } from '../../../crypto/x509/certificate.ts';
import type { Log } from '../../../ops/log.ts';
import type { X509Authority } from '../../../spiffe/bundle.ts';
import { isSignedByAny, subjectKeyIdText } from '../../../spiffe/signed-by-any.ts';
import type { X509Ca } from '../authority.ts';
import type { AuthoritySlots } from '../slots.ts';
import { nameOf } from './sync-bundle.ts';

export type RootGuardDeps = {
  readonly slots: Pick<AuthoritySlots<X509Ca, 'x509CAs'>, 'inTurn' | 'active' | 'next'>;
  /** Marks roots as tainted in the bundle, which has everything below them renewed. */
  readonly taint: (roots: readonly Certificate[]) => Promise<void>;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Ends everything that is under way. */
  readonly signal: AbortSignal;
};

/** SPIRE's; after the last try it gives up, we begin anew. */
const RETRY = {
  initialMs: 5_000,
  maxMs: 60_000,
  multiplier: 1.5,
  jitter: 0.1,
  maxElapsedMs: 60_000,
};
const PAUSE_AFTER_FAILURE = 60_000;
/** One server of a pair upstream may learn a second later what the other has signed with. */
const GRACE_MILLISECONDS = 10_000;

/**
 * Sees to it that the server's CA stands below roots that are trusted upstream (`reference/server.md` §6.4): it leaves
 * a root that was tainted, and only then is the taint told, so that whoever renews an SVID gets one of another root.
 */
export class RootGuard {
  readonly #deps: RootGuardDeps;
  readonly #tainted = new Map<string, Certificate>();
  #trusted: readonly Certificate[] = [];
  #working: Promise<void> | undefined;

  constructor(deps: RootGuardDeps) {
    this.#deps = deps;
  }

  /** These are tainted upstream, and not here yet. */
  tainted(roots: readonly Certificate[]): void {
    for (const root of roots) this.#tainted.set(nameOf(root), root);
    this.#work();
  }

  /**
   * These are all roots that are known upstream. One that comes with a CA may not be that of the CA in use, which an
   * operator may mean to keep for a while; a bundle of the trust domain must hold it.
   */
  known(roots: readonly X509Authority[], from: 'mint' | 'bundle'): void {
    const certificates = (are: 'tainted' | 'trusted') =>
      roots.filter(({ tainted }) => tainted === (are === 'tainted')).map(certificateOf);
    this.#trusted = certificates('trusted');
    if (from === 'bundle') void this.#look(certificates('tainted'));
  }

  /** Resolves when nothing is under way any more; the signal has ended it. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Another server on the same database may have told of a taint that this one has not acted on. */
  async #look(tainted: readonly Certificate[]): Promise<void> {
    const { active } = this.#deps.slots;
    if (active === undefined || !(await this.#isLost(active))) return;
    this.#work((await this.#isBelow(active, tainted)) ? 0 : GRACE_MILLISECONDS);
  }

  #work(afterMilliseconds = 0): void {
    const { clock, signal } = this.#deps;
    this.#working ??= clock
      .sleep(afterMilliseconds, signal)
      .then(() => this.#workOff())
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
      })
      .finally(() => {
        this.#working = undefined;
        // Told of while the last look was taken.
        if (this.#tainted.size > 0 && !signal.aborted) this.#work();
      });
  }

  async #workOff(): Promise<void> {
    const { clock, random, log, signal } = this.#deps;
    let backoff = createBackoff({ clock, random, ...RETRY });
    while (this.#tainted.size > 0 || (await this.#isLost())) {
      try {
        await this.#leave();
        backoff = createBackoff({ clock, random, ...RETRY });
      } catch (error) {
        signal.throwIfAborted();
        const wait = backoff.next();
        const words =
          wait === undefined
            ? 'Failed to force intermediate bundle rotation'
            : 'Failed to rotate away from an upstream root; will retry';
        log.error(words, { error: reasonOf(error) });
        if (wait === undefined) backoff = createBackoff({ clock, random, ...RETRY });
        await clock.sleep(wait ?? PAUSE_AFTER_FAILURE, signal);
      }
    }
  }

  async #leave(): Promise<void> {
    const { taint, log } = this.#deps;
    const tainted = [...this.#tainted.values()];
    await this.#rotate(tainted);
    if (tainted.length === 0) return;
    await taint(tainted);
    for (const root of tainted) {
      log.info('X.509 authority tainted', { subject_key_id: subjectKeyIdText(root) });
      this.#tainted.delete(nameOf(root));
    }
  }

  async #rotate(tainted: readonly Certificate[]): Promise<void> {
    const { slots, log } = this.#deps;
    await slots.inTurn(async (steps) => {
      const isGood = async (ca: X509Ca) =>
        !(await this.#isBelow(ca, tainted)) && !(await this.#isLost(ca));
      const prepareGood = async () => {
        if (!(await isGood(await steps.prepareNext()))) {
          throw new Fault('unavailable', 'the new X509 CA is below such a root too');
        }
      };
      const { active, next } = slots;
      const prepared = next.held?.status === 'prepared' ? next.held.authority : undefined;
      const isReady = prepared !== undefined && (await isGood(prepared));
      if (active !== undefined && !(await isGood(active))) {
        log.info(
          (await this.#isBelow(active, tainted))
            ? 'Current root CA is signed by a tainted upstream authority, preparing rotation'
            : 'Current X509 CA is below no root that is trusted upstream, preparing rotation',
        );
        if (!isReady) await prepareGood();
        await steps.activateNext();
      } else if (prepared !== undefined && !isReady) await prepareGood();
    });
  }

  /** Whether what this CA signs will be verified by nobody who follows the upstream bundle. */
  async #isLost(ca = this.#deps.slots.active): Promise<boolean> {
    if (this.#trusted.length === 0 || ca === undefined || ca.upstreamChain.length === 0) {
      return false;
    }
    return !(await this.#isBelow(ca, this.#trusted));
  }

  #isBelow({ upstreamChain }: X509Ca, roots: readonly Certificate[]): Promise<boolean> {
    const now = unixSeconds(this.#deps.clock);
    return isSignedByAny(roots, Buffer.concat(upstreamChain), now);
  }
}

const certificateOf = ({ der }: X509Authority): Certificate => parseCertificate(der);
