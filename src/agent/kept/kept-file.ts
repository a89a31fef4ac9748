import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, wrapFault } from '../../base/fault.ts';
import { readFileBounded, writeFileAtomically } from '../../base/files.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { KeyManager } from '../../plugins/key-manager/contract.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { Identity } from '../cache/workload-update.ts';
import type { AgentDataFile } from '../storage/agent-data-file.ts';
import { decodeKept, encodeKept } from './kept-format.ts';
import { forgetKept, keptPath, SEAL_KEY_ID } from './kept-place.ts';
import { createSeal, type Seal } from './seal.ts';
import { type VerifiedKept, verifyKept } from './verify-kept.ts';

export type KeptFileDeps = {
  readonly dataDirectory: string;
  readonly keyManager: Pick<KeyManager, 'getKey' | 'generateKey'>;
  readonly trustDomain: TrustDomain;
  /** Holds the agent's own SVID: what one agent kept is nothing to another. */
  readonly storage: Pick<AgentDataFile, 'data'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** What the cache holds now, and how often it has changed. */
export type Keepable = {
  readonly revision: number;
  identities(): Iterable<Identity>;
  readonly bundles: readonly Bundle[];
};

/** Not more often than this: a burst of changes is one write. */
const INTERVAL_MILLISECONDS = 5000;
/** Some forty thousand SVIDs. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Workloads' X509-SVIDs on disk, sealed, so that an agent that is started while its server is away can serve them. The key
 * is the key manager's: who can read the file and not the keys has nothing.
 */
export class KeptFile {
  readonly #deps: KeptFileDeps;
  readonly #path: string;
  #keptRevision = -1;
  #hasFailed = false;
  #isForgotten = false;
  #keeping: Promise<void> = Promise.resolve();

  constructor(deps: KeptFileDeps) {
    this.#deps = deps;
    this.#path = keptPath(deps.dataDirectory);
  }

  /** What of it may be served now; undefined if there is nothing. Throws if it cannot be read, or not be trusted. */
  async load(): Promise<VerifiedKept | undefined> {
    const { trustDomain, storage, clock, log } = this.#deps;
    let sealed: Uint8Array;
    try {
      sealed = await readFileBounded(this.#path, MAX_BYTES);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw wrapFault('could not read kept SVIDs', error);
    }
    try {
      const kept = decodeKept(await (await this.#seal()).open(sealed));
      const authorities = storage.data.bundle;
      return await verifyKept(kept, {
        trustDomain,
        authorities,
        atUnixSeconds: unixSeconds(clock),
        log,
      });
    } catch (error) {
      throw wrapFault(`could not use kept SVIDs (${this.#path})`, error);
    }
  }

  /** Keeps what the cache holds, if that is news. Failures are told once, and tried again at the next call. */
  keep(cache: Keepable): Promise<void> {
    this.#keeping = this.#keeping.then(() => this.#keep(cache));
    return this.#keeping;
  }

  async #keep(cache: Keepable): Promise<void> {
    const { revision } = cache;
    if (this.#isForgotten || revision === this.#keptRevision) return;
    try {
      const plain = await encodeKept([...cache.identities()], cache.bundles);
      if (plain.length > MAX_BYTES) throw new Fault('invalid', `longer than ${MAX_BYTES} bytes`);
      const sealed = await (await this.#seal()).seal(plain);
      await writeFileAtomically(this.#path, sealed, { mode: 0o600 });
      this.#keptRevision = revision;
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) {
        this.#deps.log.warn('Could not keep SVIDs on disk', { error: error as Error });
      }
      this.#hasFailed = true;
    }
  }

  /** Keeps what there is until the signal aborts, and then once more. */
  async run(cache: Keepable, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.keep(cache);
      await this.#deps.clock.sleep(INTERVAL_MILLISECONDS, signal).catch(() => undefined);
    }
    await this.keep(cache);
  }

  /** What is on disk may not be there any more: it is written again. */
  renew(): void {
    this.#keptRevision = -1;
  }

  /** Removes it for good: the agent may serve none of it any more. */
  async forget(): Promise<void> {
    this.#isForgotten = true;
    await this.#keeping; // or it would come back
    await forgetKept(this.#deps.dataDirectory).catch((error: unknown) => {
      this.#deps.log.error('Could not remove kept SVIDs', { error: error as Error });
    });
  }

  async #seal(): Promise<Seal> {
    const { keyManager, storage } = this.#deps;
    const [leaf] = storage.data.svid;
    if (leaf === undefined) throw new Fault('failed-precondition', 'the agent has no SVID');
    const key =
      (await keyManager.getKey(SEAL_KEY_ID)) ??
      (await keyManager.generateKey(SEAL_KEY_ID, 'ec-p256'));
    const secret = key.toPkcs8?.();
    if (secret === undefined) {
      throw new Fault('failed-precondition', 'the key manager does not give out its keys');
    }
    return createSeal(secret, parseCertificate(leaf).uris[0] ?? '');
  }
}
