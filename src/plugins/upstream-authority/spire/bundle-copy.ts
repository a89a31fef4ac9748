import type { KeyAuthority, X509Authority } from '../../../spiffe/bundle.ts';
import type { LocalBundle } from '../contract.ts';

/**
 * What is known of the upstream bundle. Mints, publications and polls all bring news of it; one that was asked for
 * before another arrived is older, and dropped.
 */
export class BundleCopy {
  #bundle: LocalBundle | undefined;
  #version = 0;
  readonly #waiting = new Set<() => void>();

  get bundle(): LocalBundle | undefined {
    return this.#bundle;
  }

  /** Before asking; `polled` takes it back. */
  get version(): number {
    return this.#version;
  }

  set(bundle: LocalBundle): void {
    this.#version++;
    this.#put(bundle);
  }

  setJwtKeys(jwtKeys: readonly KeyAuthority[]): void {
    this.#version++;
    if (this.#bundle !== undefined) this.#put({ ...this.#bundle, jwtKeys });
  }

  /** The answer to a question that was asked at that version. */
  polled(bundle: LocalBundle, askedAt: number): void {
    if (askedAt === this.#version) this.#put(bundle);
  }

  /** Resolves when it is another one; rejects with the signal's reason. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const aborted = () => {
      reject(signal.reason as Error);
    };
    this.#waiting.add(resolve);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      await promise;
    } finally {
      this.#waiting.delete(resolve);
      signal.removeEventListener('abort', aborted);
    }
  }

  #put(bundle: LocalBundle): void {
    const isSame = this.#bundle !== undefined && equalBundles(this.#bundle, bundle);
    this.#bundle = bundle;
    if (!isSame) for (const resolve of this.#waiting) resolve();
  }
}

/** In order, taints included. */
export const equalBundles = (a: LocalBundle, b: LocalBundle): boolean =>
  equalLists(a.x509Authorities, b.x509Authorities, sameX509Authority) &&
  equalLists(a.jwtKeys, b.jwtKeys, sameKey);

const equalLists = <T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean =>
  a.length === b.length &&
  a.every((one, index) => {
    const other = b[index];
    return other !== undefined && same(one, other);
  });

const sameX509Authority = (a: X509Authority, b: X509Authority): boolean =>
  a.tainted === b.tainted && Buffer.compare(a.der, b.der) === 0;

const sameKey = (a: KeyAuthority, b: KeyAuthority): boolean =>
  a.keyId === b.keyId &&
  a.expiresAt === b.expiresAt &&
  a.tainted === b.tainted &&
  Buffer.compare(a.publicKey, b.publicKey) === 0;
