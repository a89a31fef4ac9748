import { Fault, wrapFault } from '../../base/fault.ts';
import { rfc3339 } from '../../base/rfc3339.ts';
import { buildCsr } from '../../crypto/csr.ts';
import { generateKey, type KeyType } from '../../crypto/keys.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import { codeName, kindOfCode } from '../../rpc/status.ts';
import {
  type BatchNewX509SVIDResponse_Result as Result,
  SVID as SvidService,
} from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { StaleEntry } from '../cache/x509-cache.ts';
import { csrSubject } from '../csr-subject.ts';
import { targetFits } from '../rotation.ts';
import { rpcFailure } from '../server/rpc-failure.ts';
import type { ServerConnection } from '../server/server-connection.ts';
import { mapConcurrently } from './map-concurrently.ts';

export type X509SvidMinterDeps = {
  readonly connection: Pick<ServerConnection, 'call'>;
  readonly keyType: KeyType;
  /** 0: not wanted. */
  readonly availabilityTargetSeconds: number;
  /** How the log names the cache that the SVIDs are for. */
  readonly cacheType: 'workload' | 'svid_store';
  readonly log: Log;
};

/** One call asks for so many SVIDs, and for fewer after it failed. */
const MAX_BATCH = 500;
/** Threads of the pool that make keys; the others stay free for the files that attestation reads. */
const KEY_THREADS = 2;

/** Has the server sign X.509-SVIDs of entries, with new keys (`reference/agent.md` §3.4). */
export class X509SvidMinter {
  readonly #deps: X509SvidMinterDeps;
  #limit = MAX_BATCH;

  constructor(deps: X509SvidMinterDeps) {
    this.#deps = deps;
  }

  /** As many as one call may ask for, by entry; what the server did not sign is left out. */
  async mint(
    stale: readonly StaleEntry[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AuthorizedEntry, X509Svid>> {
    if (stale.length === 0) return new Map();
    const { cacheType, log } = this.#deps;
    const batch = stale.slice(0, this.#limit);
    log.debug('Renewing stale entries', {
      cache_type: cacheType,
      count: stale.length,
      limit: this.#limit,
    });
    const requests = await mapConcurrently(batch, KEY_THREADS, (item) => this.#request(item));
    const results = await this.#call(requests, signal);
    const minted = new Map<AuthorizedEntry, X509Svid>();
    for (const [index, { entry, privateKey }] of requests.entries()) {
      const svid = this.#svidOf(entry, privateKey, results[index]);
      if (svid !== undefined) minted.set(entry, svid);
    }
    return minted;
  }

  async #request({ entry, former }: StaleEntry): Promise<MintRequest> {
    this.#deps.log.info(former === undefined ? 'Creating X509-SVID' : 'Renewing X509-SVID', {
      ...fieldsOf(entry),
      expires_at: former && rfc3339(former.notAfter * 1000),
    });
    const key = await generateKey(this.#deps.keyType);
    const content = { subject: csrSubject, uris: [entry.spiffeId.toString()], dnsNames: [] };
    return { entry, privateKey: key.toPkcs8(), csr: await buildCsr(content, key) };
  }

  async #call(requests: readonly MintRequest[], signal: AbortSignal): Promise<readonly Result[]> {
    const params = requests.map(({ entry, csr }) => ({ entryId: entry.id, csr }));
    try {
      const { results } = await this.#deps.connection.call(
        SvidService,
        (client, options) => client.batchNewX509SVID({ params }, options),
        { signal },
      );
      this.#limit = Math.min(MAX_BATCH, this.#limit * 2);
      return results;
    } catch (error) {
      this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      this.#deps.log.error('Failed to batch new X509 SVID(s)', { error: error as Error });
      throw rpcFailure('failed to batch new X509 SVID(s)', error);
    }
  }

  #svidOf(
    entry: AuthorizedEntry,
    privateKey: Uint8Array,
    result: Result | undefined,
  ): X509Svid | undefined {
    const { log, availabilityTargetSeconds } = this.#deps;
    const code = result?.status?.code ?? 0;
    if (result === undefined || code !== 0) {
      log.warn('Failed to mint X509 SVID', {
        entry_id: entry.id,
        status: codeName(kindOfCode(code)),
        error: result?.status?.message ?? 'no result',
      });
      return undefined;
    }
    if (result.svid === undefined || result.svid.certChain.length === 0) {
      log.debug('Entry not found', fieldsOf(entry));
      return undefined;
    }
    const svid = compactSvid(result.svid.certChain, privateKey);
    if (availabilityTargetSeconds > 0 && !targetFits(svid, availabilityTargetSeconds)) {
      log.warn(TARGET_DOES_NOT_FIT, fieldsOf(entry));
    }
    return svid;
  }
}

type MintRequest = {
  readonly entry: AuthorizedEntry;
  readonly privateKey: Uint8Array;
  readonly csr: Uint8Array;
};

const TARGET_DOES_NOT_FIT =
  "X509 SVID lifetime isn't long enough to guarantee the availability_target, falling back to the default rotation strategy";

const fieldsOf = (entry: AuthorizedEntry) => ({
  spiffe_id: entry.spiffeId.toString(),
  entry_id: entry.id,
});

/** Chain and key in one buffer of their own, so that neither the answer nor a pool is kept alive. Throws 'invalid'. */
function compactSvid(chain: readonly Uint8Array[], privateKey: Uint8Array): X509Svid {
  const chainLength = chain.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(chainLength + privateKey.length);
  let offset = 0;
  for (const part of [...chain, privateKey]) {
    bytes.set(part, offset);
    offset += part.length;
  }
  const { notBefore, notAfter } = leafLifetime(chain);
  return {
    chain: bytes.subarray(0, chainLength),
    privateKey: bytes.subarray(chainLength),
    notBefore,
    notAfter,
  };
}

function leafLifetime(chain: readonly Uint8Array[]) {
  const [leaf] = chain;
  if (leaf === undefined) throw new Fault('invalid', 'empty SVID cert chain');
  try {
    return parseCertificate(leaf);
  } catch (error) {
    throw wrapFault('invalid SVID cert chain', error);
  }
}
