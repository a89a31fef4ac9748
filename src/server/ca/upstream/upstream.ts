import { createBackoff } from '../../../base/backoff.ts';
import type { Clock } from '../../../base/clock.ts';
import { kindOf, reasonOf } from '../../../base/fault.ts';
import type { Log } from '../../../ops/log.ts';
import type { UpstreamAuthority } from '../../../plugins/upstream-authority/contract.ts';
import type { KeyAuthority } from '../../../spiffe/bundle.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { BundleRegistry } from '../../registry/contract.ts';
import type { MintAnswer } from './check-answer.ts';
import { RootGuard, type RootGuardDeps } from './root-guard.ts';
import { type SyncedBundle, syncBundle, taintRoots, type UpstreamNews } from './sync-bundle.ts';
import { type MintRequest, UpstreamClient } from './upstream-client.ts';

export type UpstreamDeps = {
  readonly authority: UpstreamAuthority;
  readonly bundles: Pick<BundleRegistry, 'modify'>;
  /** Makes a key known to this server's own agents only. */
  readonly publishLocally: (key: KeyAuthority) => Promise<readonly KeyAuthority[]>;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Ends everything that is under way, a start that waits for the authority too. */
  readonly signal: AbortSignal;
};

/** After the start (`reference/server.md` §6.3). */
const FOLLOW_AFTER_MILLISECONDS = 5_000;
/** SPIRE's server ends where the first try fails, and never tries again after; ours has agents to serve. */
const FOLLOW_RETRY = { initialMs: 5_000, maxMs: 60_000, multiplier: 1.5, jitter: 0.1 };

/** The server's relation to its upstream authority: CAs and keys go up, roots and keys of others come down. */
export class Upstream {
  readonly #deps: UpstreamDeps;
  readonly #client: UpstreamClient;
  #slots: RootGuardDeps['slots'] | undefined;
  #guard: RootGuard | undefined;
  #following: Promise<void> | undefined;
  #hasWarned = false;

  constructor(deps: UpstreamDeps) {
    const { authority, clock, log, signal } = deps;
    this.#deps = deps;
    this.#client = new UpstreamClient({
      authority,
      sync: (news) => this.#sync(news),
      clock,
      log,
      signal,
    });
  }

  mintX509Ca(request: Omit<MintRequest, 'patient'>): Promise<MintAnswer['chain']> {
    const patient = this.#slots?.active === undefined;
    return this.#client.mintX509Ca({ ...request, patient });
  }

  /** Resolves with the trust domain's keys, as far as they are known. */
  async publishJwtKey(key: KeyAuthority): Promise<readonly KeyAuthority[]> {
    const { publishLocally, log } = this.#deps;
    try {
      return await this.#client.publishJwtKey(key);
    } catch (error) {
      if (kindOf(error) !== 'unimplemented') throw error;
      if (!this.#hasWarned) {
        log.warn(
          'UpstreamAuthority plugin does not support JWT-SVIDs. Workloads managed by this server may have trouble communicating with workloads outside this cluster when using JWT-SVIDs.',
          { plugin_name: this.#deps.authority.name },
        );
      }
      this.#hasWarned = true;
      return publishLocally(key);
    }
  }

  /** From now on the CAs in these slots leave roots that are tainted upstream. */
  guard(slots: RootGuardDeps['slots']): void {
    const { bundles, trustDomain, clock, random, log, signal } = this.#deps;
    const taint: RootGuardDeps['taint'] = async (roots) => {
      await bundles.modify(trustDomain, (stored) => taintRoots(stored, roots));
    };
    this.#slots = slots;
    this.#guard = new RootGuard({ slots, taint, clock, random, log, signal });
  }

  /** From now on the bundle follows what the authority knows of it. */
  follow(): void {
    const { signal } = this.#deps;
    this.#following = this.#follow().catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Resolves when nothing is under way any more; the signal has ended it. */
  async settled(): Promise<void> {
    await this.#following;
    await this.#client.settled();
    await this.#guard?.settled();
  }

  async #follow(): Promise<void> {
    const { clock, random, log, signal } = this.#deps;
    const backoff = createBackoff({ clock, random, ...FOLLOW_RETRY });
    for (let wait = FOLLOW_AFTER_MILLISECONDS; ; wait = backoff.next() ?? FOLLOW_RETRY.maxMs) {
      await clock.sleep(wait, signal);
      try {
        if ((await this.#client.followLocalBundle()) === 'ended') return;
        backoff.reset();
      } catch (error) {
        if (kindOf(error) === 'unimplemented') return;
        signal.throwIfAborted();
        log.error('Failed to subscribe to the bundle of the upstream authority; will retry', {
          error: reasonOf(error),
        });
      }
    }
  }

  async #sync(news: UpstreamNews): Promise<void> {
    const { bundles, trustDomain, log } = this.#deps;
    let synced: SyncedBundle | undefined;
    await bundles.modify(trustDomain, (stored) => {
      synced = syncBundle(stored, trustDomain, news);
      return synced.bundle;
    });
    const { tainted = [], revoked = [], revokedKeyIds = [] } = synced ?? {};
    for (const subjectKeyId of revoked) {
      log.info('X.509 authority revoked', { subject_key_id: subjectKeyId });
    }
    for (const keyId of revokedKeyIds) {
      log.info('JWT authority revoked', { local_authority_id: keyId });
    }
    if (tainted.length > 0) this.#guard?.tainted(tainted);
    if (news.roots !== undefined) {
      this.#guard?.known(news.roots, news.jwtKeys === undefined ? 'mint' : 'bundle');
    }
  }
}
