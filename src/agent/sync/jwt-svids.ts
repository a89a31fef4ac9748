import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, kindOf } from '../../base/fault.ts';
import { unlessAborted } from '../../base/unless-aborted.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { startCall } from '../../ops/metrics-call.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { SVID as SvidService } from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { JWTSVID as ProtoJwtSvid } from '../../wire/gen/spire/api/types/jwtsvid_pb.ts';
import { safeNumber } from '../../wire/int64.ts';
import { prefixed } from '../../wire/prefixed.ts';
import { spiffeIdFromProto } from '../../wire/spiffe-id.ts';
import { JwtSvidCache, jwtSvidKey } from '../cache/jwt-svid-cache.ts';
import type { Identities, JwtSvid } from '../identities.ts';
import { isPastHalfLife } from '../rotation.ts';
import { rpcFailure } from '../server/rpc-failure.ts';
import type { ServerConnection } from '../server/server-connection.ts';
import { askUntil, REQUEST_MILLISECONDS } from './ask-until.ts';
import { AskedTokens } from './asked-tokens.ts';
import { mapConcurrently } from './map-concurrently.ts';

export type JwtSvidsDeps = {
  readonly connection: Pick<ServerConnection, 'call'>;
  readonly maxSize: number;
  /** How long a renewal may take while the caller could have the cached token. */
  readonly cacheHitTimeoutMilliseconds: number;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Ends what is under way when the agent stops. */
  readonly signal: AbortSignal;
};

type Entry = Parameters<Identities['fetchJwtSvid']>[0];

type Renewal = {
  readonly svid: Promise<JwtSvid>;
  readonly ended: AbortController;
  /** How many callers wait for it. */
  waiting: number;
};

/** So many tokens are renewed at once before anybody asks. */
const RENEWED_AT_ONCE = 4;

const SIZE = ['jwt_svid_cache_size'];
const TAINTED = ['cache_manager', 'tainted_jwt_svids', 'workload'];
const PROCESS_TAINTED = ['cache_manager', 'workload', 'process_tainted_jwt_svids'];

/** JWT-SVIDs from the cache, or from the server (`reference/agent.md` §3.6). */
export class JwtSvids {
  readonly #deps: JwtSvidsDeps;
  readonly #cache: JwtSvidCache;
  readonly #asked: AskedTokens;
  /** One request at a time for the same token; whoever asks meanwhile waits for it too. */
  readonly #underWay = new Map<string, Renewal>();

  constructor(deps: JwtSvidsDeps) {
    this.#deps = deps;
    this.#cache = new JwtSvidCache(deps.maxSize);
    this.#asked = new AskedTokens(deps.maxSize);
    const { signal } = deps;
    const stop = () => {
      for (const { ended } of this.#underWay.values()) ended.abort(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
  }

  /** As `Identities.fetchJwtSvid`. */
  async fetch(entry: Entry, audience: readonly string[], signal: AbortSignal): Promise<JwtSvid> {
    signal.throwIfAborted();
    const key = keyOf(entry, audience);
    this.#asked.note(key, { entry, audience });
    return this.#get(key, entry, audience, signal);
  }

  /**
   * Renews what was asked for since it was last renewed and has lived half its life, so that who asks again need not
   * wait. Failures are told; whoever asks tries again.
   */
  async renewAhead(isAuthorized: (entryId: string) => boolean): Promise<void> {
    const due = this.#asked.take(({ entry, audience }) => {
      const cached = this.#cache.peek(entry.spiffeId, audience);
      return cached === undefined || this.#isDue(cached);
    }, isAuthorized);
    await mapConcurrently(due, RENEWED_AT_ONCE, ({ entry, audience }) =>
      this.#get(keyOf(entry, audience), entry, audience, this.#deps.signal).catch(() => undefined),
    );
  }

  async #get(
    key: string,
    entry: Entry,
    audience: readonly string[],
    signal: AbortSignal,
  ): Promise<JwtSvid> {
    const cached = this.#cache.get(entry.spiffeId, audience);
    if (cached !== undefined && !this.#isDue(cached)) return cached;
    const renewal = this.#underWay.get(key) ?? this.#start(key, entry, audience, cached);
    renewal.waiting++;
    try {
      return await unlessAborted(renewal.svid, signal);
    } finally {
      renewal.waiting--;
      if (renewal.waiting === 0) this.#abandon(key, renewal);
    }
  }

  #isDue(svid: JwtSvid): boolean {
    const { clock, random } = this.#deps;
    return isPastHalfLife(lifetimeOf(svid), unixSeconds(clock), random);
  }

  /** Forgets what these keys have signed. */
  dropSignedBy(keyIds: ReadonlySet<string>): void {
    const { metrics } = this.#deps;
    const end = startCall(metrics, PROCESS_TAINTED);
    const removed = this.#cache.removeSignedBy(keyIds);
    end();
    metrics.sample(TAINTED, removed);
    this.#tellSize();
    if (removed === 0) return;
    this.#deps.log.info(
      'JWT-SVIDs were removed from the JWT cache because they were issued by a tainted authority',
      { jwt_authority_key_ids: [...keyIds].join(','), tainted_jwt_svids: removed },
    );
  }

  get count(): number {
    return this.#cache.size;
  }

  #tellSize(): void {
    this.#deps.metrics.gauge(SIZE, this.#cache.size);
  }

  #start(
    key: string,
    entry: Entry,
    audience: readonly string[],
    cached: JwtSvid | undefined,
  ): Renewal {
    const ended = new AbortController();
    if (this.#deps.signal.aborted) ended.abort(this.#deps.signal.reason);
    const svid = this.#renew(entry, audience, cached, ended.signal);
    const renewal = { svid, ended, waiting: 0 };
    this.#underWay.set(key, renewal);
    return renewal;
  }

  /** It is over, or nobody waits for it any more: then it must not go on, or a caller could heap them up. */
  #abandon(key: string, renewal: Renewal): void {
    if (this.#underWay.get(key) === renewal) this.#underWay.delete(key);
    renewal.ended.abort(new Fault('canceled', 'nobody waits for the JWT-SVID any more'));
  }

  async #renew(
    entry: Entry,
    audience: readonly string[],
    cached: JwtSvid | undefined,
    signal: AbortSignal,
  ): Promise<JwtSvid> {
    const { clock, log, cacheHitTimeoutMilliseconds } = this.#deps;
    const isUsable = () => cached !== undefined && unixSeconds(clock) < cached.expiresAt;
    try {
      const endsAt =
        clock.now() + (isUsable() ? cacheHitTimeoutMilliseconds : REQUEST_MILLISECONDS);
      const { id, svid } = await askUntil(
        this.#deps,
        (timeoutMilliseconds) => this.#fetch(entry, audience, timeoutMilliseconds, signal),
        {
          endsAt,
          signal,
          failed: (error) => {
            log.debug('Failed to fetch JWT SVID; retrying', { error });
          },
        },
      );
      this.#cache.set(id, audience, svid);
      this.#tellSize();
      return svid;
    } catch (error) {
      if (cached === undefined || signal.aborted) throw error;
      if (isUsable()) {
        log.warn('Unable to renew JWT; returning cached copy', {
          spiffe_id: entry.spiffeId.toString(),
          error: error as Error,
        });
        return cached;
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new Fault(
        kindOf(error),
        `unable to renew JWT for "${entry.spiffeId.toString()}" (err=${reason})`,
        { cause: error },
      );
    }
  }

  async #fetch(
    entry: Entry,
    audience: readonly string[],
    timeoutMilliseconds: number,
    signal: AbortSignal,
  ): Promise<Fetched> {
    const { connection, log } = this.#deps;
    let svid: ProtoJwtSvid | undefined;
    try {
      ({ svid } = await connection.call(
        SvidService,
        (client, options) =>
          client.newJWTSVID({ entryId: entry.id, audience: [...audience] }, options),
        { signal, timeoutMilliseconds },
      ));
    } catch (error) {
      if (signal.aborted) throw error;
      log.error('Failed to fetch JWT SVID', { error: error as Error });
      throw rpcFailure('failed to fetch JWT SVID', error);
    }
    return jwtSvidFromServer(svid);
  }
}

/** Entries of one SPIFFE ID share their tokens, but each asks for itself. */
const keyOf = (entry: Entry, audience: readonly string[]): string =>
  `${entry.id} ${jwtSvidKey(entry.spiffeId, audience)}`;

type Fetched = { readonly id: SpiffeId; readonly svid: JwtSvid };

/** Throws 'unknown' if the server's answer makes no sense; it is not asked again then. */
function jwtSvidFromServer(proto: ProtoJwtSvid | undefined): Fetched {
  if (proto === undefined) throw new Fault('unknown', 'JWTSVID response missing SVID');
  const issuedAt = safeNumber('issued_at', proto.issuedAt);
  const expiresAt = safeNumber('expires_at', proto.expiresAt);
  if (issuedAt === 0) throw new Fault('unknown', 'JWTSVID missing issued at');
  if (expiresAt === 0) throw new Fault('unknown', 'JWTSVID missing expires at');
  if (issuedAt > expiresAt) throw new Fault('unknown', 'JWTSVID issued after it has expired');
  const id = prefixed('could not parse JWT-SVID SPIFFE ID', () => spiffeIdFromProto(proto.id));
  return { id, svid: { token: proto.token, issuedAt, expiresAt } };
}

const lifetimeOf = ({ issuedAt, expiresAt }: JwtSvid) => ({
  notBefore: issuedAt,
  notAfter: expiresAt,
});
