import type { BundleManager } from '../../src/server/federation/contract.ts';
import type { TrustDomain } from '../../src/spiffe/trust-domain.ts';

/** Remembers what it was told; refreshes nothing. */
export class FakeBundleManager implements BundleManager {
  /** Names of the trust domains that there is a relationship with. */
  readonly known = new Set<string>();
  readonly refreshed: string[] = [];
  /** What refreshing fails with. */
  failure: Error | undefined;
  changes = 0;

  relationshipsChanged(): void {
    this.changes += 1;
  }

  async refresh({ name }: TrustDomain): Promise<boolean> {
    if (this.failure !== undefined) throw this.failure;
    if (!this.known.has(name)) return false;
    this.refreshed.push(name);
    return true;
  }
}
