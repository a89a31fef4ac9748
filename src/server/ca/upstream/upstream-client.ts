import type { Clock } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { nameFailure } from '../../../catalog/name-failure.ts';
import type { Log } from '../../../ops/log.ts';
import type { Updates, UpstreamAuthority } from '../../../plugins/upstream-authority/contract.ts';
import type { KeyAuthority } from '../../../spiffe/bundle.ts';
import {
  checkJwtKeys,
  checkLocalBundle,
  checkMinted,
  checkRoots,
  type MintAnswer,
} from './check-answer.ts';
import { type FollowOptions, followUpdates } from './follow-updates.ts';
import type { UpstreamNews } from './sync-bundle.ts';

export type UpstreamClientDeps = {
  readonly authority: UpstreamAuthority;
  /** Puts news into the bundle. Throws if that fails, and then has changed nothing. */
  readonly sync: (news: UpstreamNews) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends everything that is under way. */
  readonly signal: AbortSignal;
};

export type MintRequest = {
  readonly csr: Uint8Array;
  readonly ttlSeconds: number;
  /** Whether nothing can be signed before. */
  readonly patient: boolean;
  /** Throws to refuse the answer, before anything of it is stored. */
  readonly verify: (answer: MintAnswer) => Promise<void>;
};

/** `reference/server.md` §6.3 */
const PUBLISH_MILLISECONDS = 5_000;

type Stream = 'mint' | 'publish';

/**
 * What the server asks of its upstream authority. When a call resolves, what the answer says of the bundle is in the
 * bundle; what is said later follows. Each call of a kind ends the updates of the one before.
 */
export class UpstreamClient {
  readonly #deps: UpstreamClientDeps;
  readonly #streams = new Map<Stream, AbortController>();
  readonly #following = new Set<Promise<unknown>>();

  constructor(deps: UpstreamClientDeps) {
    this.#deps = deps;
  }

  /** The chain, verified, the new CA first. */
  mintX509Ca({ csr, ttlSeconds, patient, verify }: MintRequest): Promise<MintAnswer['chain']> {
    const { authority, sync } = this.#deps;
    return this.#answered('mint', async (signal) => {
      const minted = await authority.mintX509Ca({ csr, ttlSeconds, patient, signal });
      const { chain, roots } = this.#checked(() => checkMinted(minted));
      await verify({ chain, roots });
      await sync({ roots });
      this.#follow(minted.updates, signal, {
        words: {
          one: 'an X.509 root update',
          many: 'X.509 root updates',
          content: 'X.509 roots',
        },
        check: checkRoots,
        store: async (later) => void (await sync({ roots: later })),
      });
      return chain;
    });
  }

  /**
   * Resolves with the trust domain's keys, this one among them. Throws 'unimplemented' where that is not the
   * authority's business.
   */
  publishJwtKey(key: KeyAuthority): Promise<readonly KeyAuthority[]> {
    const { authority, sync } = this.#deps;
    return this.#answered('publish', async (signal) => {
      const published = await this.#inTime(PUBLISH_MILLISECONDS, signal, () =>
        authority.publishJwtKey(key, signal),
      );
      const jwtKeys = this.#checked(() => checkPublished(checkJwtKeys(published.jwtKeys), key));
      await sync({ jwtKeys });
      this.#follow(published.updates, signal, {
        words: { one: 'a JWT key update', many: 'JWT key updates', content: 'JWT keys' },
        check: checkJwtKeys,
        store: async (later) => void (await sync({ jwtKeys: later })),
      });
      return jwtKeys;
    });
  }

  /**
   * Follows what the authority knows of the bundle: 'ended' when no more will come, 'broken' if there may be more for
   * another subscription. Throws what the first answer failed with: 'unimplemented' if the authority knows nothing.
   */
  async followLocalBundle(): Promise<'ended' | 'broken'> {
    const { authority, sync, signal, log } = this.#deps;
    const store = async ({
      x509Authorities: roots,
      jwtKeys,
    }: ReturnType<typeof checkLocalBundle>) => void (await sync({ roots, jwtKeys }));
    const { bundle, updates } = await authority.subscribeToLocalBundle(signal);
    await store(this.#checked(() => checkLocalBundle(bundle)));
    return followUpdates(updates, {
      words: {
        one: 'an X.509 root update',
        many: 'authorities updates',
        content: 'X.509 CAs',
      },
      check: checkLocalBundle,
      store,
      signal,
      log,
    });
  }

  /** Resolves when nothing is under way any more; the signal has ended it. */
  async settled(): Promise<void> {
    await Promise.all(this.#following);
  }

  async #answered<T>(stream: Stream, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#streams.get(stream)?.abort();
    const own = new AbortController();
    this.#streams.set(stream, own);
    try {
      return await call(AbortSignal.any([own.signal, this.#deps.signal]));
    } catch (error) {
      own.abort();
      throw error;
    }
  }

  #follow<U, Checked>(
    updates: Updates<U>,
    signal: AbortSignal,
    options: Omit<FollowOptions<U, Checked>, 'signal' | 'log'>,
  ): void {
    const { log } = this.#deps;
    const following = followUpdates(updates, { ...options, signal, log });
    this.#following.add(following);
    void following.finally(() => this.#following.delete(following));
  }

  #checked<T>(check: () => T): T {
    try {
      return check();
    } catch (error) {
      throw nameFailure('UpstreamAuthority', this.#deps.authority.name, error);
    }
  }

  async #inTime<T>(milliseconds: number, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const answered = new AbortController();
    const late = async (): Promise<never> => {
      await this.#deps.clock.sleep(milliseconds, AbortSignal.any([signal, answered.signal]));
      throw this.#named(new Fault('deadline', 'context deadline exceeded'));
    };
    try {
      return await Promise.race([call(), late()]);
    } finally {
      answered.abort();
    }
  }

  #named(fault: Fault): Fault {
    return nameFailure('UpstreamAuthority', this.#deps.authority.name, fault);
  }
}

/** What is signed with a key that is not known upstream, nobody elsewhere could verify. */
function checkPublished(
  jwtKeys: readonly KeyAuthority[],
  { keyId, publicKey }: KeyAuthority,
): readonly KeyAuthority[] {
  const named = jwtKeys.filter((key) => key.keyId === keyId);
  const isOurs = (key: KeyAuthority) => Buffer.compare(key.publicKey, publicKey) === 0;
  if (named.length === 0 || !named.every(isOurs)) {
    throw new Fault('internal', 'plugin response is without the JWT key that was published');
  }
  return jwtKeys;
}
