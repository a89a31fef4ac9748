import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, wrapFault } from '../../base/fault.ts';
import { unlessAborted } from '../../base/unless-aborted.ts';
import { privateJwk } from '../../crypto/jose/private-jwk.ts';
import { generateKey } from '../../crypto/keys.ts';
import type { Log } from '../../ops/log.ts';
import { kindOfCode } from '../../rpc/status.ts';
import {
  type BatchNewWITSVIDResponse,
  SVID as SvidService,
} from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { safeNumber } from '../../wire/int64.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { WitSvid } from '../identities.ts';
import { isPastHalfLife } from '../rotation.ts';
import { rpcFailure } from '../server/rpc-failure.ts';
import type { ServerConnection } from '../server/server-connection.ts';
import { askUntil, REQUEST_MILLISECONDS } from './ask-until.ts';

export type WitSvidsDeps = {
  readonly connection: Pick<ServerConnection, 'call'>;
  /** How many are kept; the least recently used goes first. */
  readonly maxSize: number;
  /** IDs of WIT authorities that must not be relied on any more. */
  readonly taintedKeyIds: () => ReadonlySet<string>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Ends what is under way when the agent stops. */
  readonly signal: AbortSignal;
};

type Entry = Pick<AuthorizedEntry, 'id' | 'spiffeId'>;
type Cached = { readonly svid: WitSvid; readonly keyId: string };

/** Bound into each token with the key that it is for (W-7, W-19). */
const KEY_TYPE = 'ec-p256';
const ALGORITHM = 'ES256';

/** WIT-SVIDs with their keys, from the cache or from the server; a token that has lived half its life is renewed. */
export class WitSvids {
  readonly #deps: WitSvidsDeps;
  /** In the order of their last use. */
  readonly #cache = new Map<string, Cached>();
  /** One request at a time for the same identity; whoever asks meanwhile waits for it too. */
  readonly #underWay = new Map<string, Promise<WitSvid>>();

  constructor(deps: WitSvidsDeps) {
    this.#deps = deps;
  }

  /** As `Identities.fetchWitSvid`. */
  async fetch(entry: Entry, signal: AbortSignal): Promise<WitSvid> {
    signal.throwIfAborted();
    const key = `${entry.id} ${entry.spiffeId.toString()}`;
    const cached = this.#trusted(key);
    if (cached !== undefined && !this.#isDue(cached)) return cached;
    const renewal = this.#underWay.get(key) ?? this.#start(key, entry, cached !== undefined);
    try {
      return await unlessAborted(renewal, signal);
    } catch (error) {
      const usable = this.#trusted(key);
      if (signal.aborted || usable === undefined) throw error;
      this.#deps.log.warn('Unable to renew WIT-SVID; returning cached copy', {
        spiffe_id: entry.spiffeId.toString(),
        error: error as Error,
      });
      return usable;
    }
  }

  get count(): number {
    return this.#cache.size;
  }

  /** What may still be used: not expired, and not signed by a key that is called tainted. */
  #trusted(key: string): WitSvid | undefined {
    const cached = this.#cache.get(key);
    if (cached === undefined) return undefined;
    this.#cache.delete(key);
    const { taintedKeyIds, clock } = this.#deps;
    if (cached.svid.expiresAt <= unixSeconds(clock)) return undefined;
    if (taintedKeyIds().has(cached.keyId)) return undefined;
    this.#cache.set(key, cached);
    return cached.svid;
  }

  #isDue({ issuedAt, expiresAt }: WitSvid): boolean {
    const { clock, random } = this.#deps;
    return isPastHalfLife({ notBefore: issuedAt, notAfter: expiresAt }, unixSeconds(clock), random);
  }

  /** Where there is one that can still be used, the server is tried once. */
  #start(key: string, entry: Entry, isUsable: boolean): Promise<WitSvid> {
    const renewal = (isUsable ? this.#mint(entry) : this.#mintAgainAndAgain(entry))
      .then((svid) => {
        if (this.#cache.size >= this.#deps.maxSize) this.#dropFirst();
        this.#cache.set(key, { svid, keyId: keyIdOf(svid.token) });
        return svid;
      })
      .finally(() => this.#underWay.delete(key));
    renewal.catch(() => undefined); // told to whoever waits
    this.#underWay.set(key, renewal);
    return renewal;
  }

  #mintAgainAndAgain(entry: Entry): Promise<WitSvid> {
    const { clock, signal, log } = this.#deps;
    return askUntil(this.#deps, (left) => this.#mint(entry, left), {
      endsAt: clock.now() + REQUEST_MILLISECONDS,
      signal,
      failed: (error) => {
        log.debug('Failed to fetch WIT-SVID; retrying', { error });
      },
    });
  }

  async #mint(entry: Entry, timeoutMilliseconds = REQUEST_MILLISECONDS): Promise<WitSvid> {
    const { connection, log, signal } = this.#deps;
    const key = await generateKey(KEY_TYPE);
    const params = [
      { entryId: entry.id, publicKey: key.publicKey.spki, signingAlgorithm: ALGORITHM },
    ];
    try {
      const answer = await connection.call(
        SvidService,
        (client, options) => client.batchNewWITSVID({ params }, options),
        { signal, timeoutMilliseconds },
      );
      return {
        ...witSvidFromServer(answer),
        key: JSON.stringify({ ...privateJwk(key), alg: ALGORITHM }),
      };
    } catch (error) {
      if (signal.aborted) throw error;
      log.error('Failed to fetch WIT-SVID', {
        spiffe_id: entry.spiffeId.toString(),
        error: error as Error,
      });
      throw rpcFailure('failed to fetch WIT-SVID', error);
    }
  }

  #dropFirst(): void {
    const [first] = this.#cache.keys();
    if (first !== undefined) this.#cache.delete(first);
  }
}

/** Throws what the server says of the item, or 'unknown' if its answer makes no sense. */
function witSvidFromServer({ results }: BatchNewWITSVIDResponse): Omit<WitSvid, 'key'> {
  const [result] = results;
  if (result === undefined) throw new Fault('unknown', 'WITSVID response missing result');
  const { status, svid } = result;
  if (status !== undefined && status.code !== 0) {
    throw new Fault(kindOfCode(status.code), status.message);
  }
  if (svid === undefined) throw new Fault('unknown', 'WITSVID response missing SVID');
  const issuedAt = safeNumber('issued_at', svid.issuedAt);
  const expiresAt = safeNumber('expires_at', svid.expiresAt);
  if (issuedAt === 0 || expiresAt <= issuedAt) {
    throw new Fault('unknown', 'WITSVID has no lifetime');
  }
  return { token: svid.token, issuedAt, expiresAt };
}

/** The `kid` of a token that our server signed; it is verified by whoever uses the token. */
function keyIdOf(token: string): string {
  try {
    const header = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString();
    return String((JSON.parse(header) as { kid?: unknown }).kid);
  } catch (error) {
    throw wrapFault('WITSVID is malformed', error, 'unknown');
  }
}
