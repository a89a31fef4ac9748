import { type Clock, systemClock, unixSeconds } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { type Channel, dial } from '../rpc/dial.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../spiffe/jwt-svid.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { SpiffeWorkloadAPI } from '../wire/gen/spiffe/workload/workload_pb.ts';
import { parseEndpoint } from './endpoint-address.ts';
import { follow } from './follow.ts';
import {
  type Bundles,
  type IssuedJwtSvid,
  readJwtBundles,
  readJwtSvids,
  readX509Bundles,
  readX509Context,
  type X509Context,
} from './responses.ts';
import { SECURITY_HEADER } from './security-header.ts';

export type WorkloadApiOptions = {
  /** `unix:///path` or `tcp://ip:port`; by default what `SPIFFE_ENDPOINT_SOCKET` says (E-5). */
  readonly endpoint?: string | undefined;
  /**
   * Told of each failure of a watch, and of each malformed answer; by default nobody is. The watch then tries again,
   * unless that is of no use.
   */
  readonly failed?: ((error: unknown) => void) | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
};

export type JwtSvidOptions = {
  /** Whom the token is for: one name at least. */
  readonly audience: string | readonly string[];
  /** Which of the process' identities; by default the first. */
  readonly id?: SpiffeId | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Bundles with all authorities of a large federation fit. */
const MAX_RECEIVE_BYTES = 64 * 1024 * 1024;

/**
 * A client of the Workload API. `fetch...` asks once, and throws a Fault with the kind and the words of the API
 * ('denied', `no identity issued`). `watch...` yields each answer, the newest at least, over lost connections and
 * restarts of the agent, until its signal aborts or the loop is left. Disposing ends all of it.
 */
export class WorkloadApi implements Disposable {
  readonly #channel: Channel;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  readonly #disposed = new AbortController();

  /** Connects when it is first asked. Throws 'invalid' if the endpoint is malformed, or not configured at all. */
  constructor({ endpoint, failed, clock }: WorkloadApiOptions = {}) {
    const configured = endpoint ?? process.env['SPIFFE_ENDPOINT_SOCKET'] ?? '';
    if (configured === '') {
      throw new Fault('invalid', 'workload endpoint socket address is not configured');
    }
    this.#channel = dial({
      address: parseEndpoint(configured),
      maxReceiveBytes: MAX_RECEIVE_BYTES,
    });
    this.#clock = clock ?? systemClock;
    this.#failed = failed ?? (() => {});
  }

  /** The process' X509-SVIDs, and the bundles that verify its peers. */
  fetchX509Context(signal?: AbortSignal): Promise<X509Context> {
    return this.#first(
      (ended) => this.#api.fetchX509SVID({}, call(ended)),
      readX509Context,
      signal,
    );
  }

  watchX509Context(signal?: AbortSignal): AsyncGenerator<X509Context, void> {
    return this.#watch(
      (ended) => this.#api.fetchX509SVID({}, call(ended)),
      readX509Context,
      signal,
    );
  }

  /** The X.509 bundles alone. */
  fetchX509Bundles(signal?: AbortSignal): Promise<Bundles> {
    return this.#first(
      (ended) => this.#api.fetchX509Bundles({}, call(ended)),
      readX509Bundles,
      signal,
    );
  }

  watchX509Bundles(signal?: AbortSignal): AsyncGenerator<Bundles, void> {
    return this.#watch(
      (ended) => this.#api.fetchX509Bundles({}, call(ended)),
      readX509Bundles,
      signal,
    );
  }

  fetchJwtBundles(signal?: AbortSignal): Promise<Bundles> {
    return this.#first(
      (ended) => this.#api.fetchJWTBundles({}, call(ended)),
      readJwtBundles,
      signal,
    );
  }

  watchJwtBundles(signal?: AbortSignal): AsyncGenerator<Bundles, void> {
    return this.#watch(
      (ended) => this.#api.fetchJWTBundles({}, call(ended)),
      readJwtBundles,
      signal,
    );
  }

  /** A token of the default identity, or of the one that was named. */
  async fetchJwtSvid(options: JwtSvidOptions): Promise<IssuedJwtSvid> {
    const [svid] = await this.fetchJwtSvids(options);
    return svid;
  }

  /** A token of each identity of the process, or of the one that was named. */
  async fetchJwtSvids({
    audience,
    id,
    signal,
  }: JwtSvidOptions): Promise<readonly [IssuedJwtSvid, ...IssuedJwtSvid[]]> {
    const names = typeof audience === 'string' ? [audience] : [...audience];
    const response = await this.#api.fetchJWTSVID(
      { audience: names, spiffeId: id?.toString() ?? '' },
      call(this.#until(signal)),
    );
    return readJwtSvids(response, names, unixSeconds(this.#clock));
  }

  /** Has the agent verify a token that is meant for this audience. Throws 'invalid' if it is not valid. */
  async validateJwtSvid(token: string, audience: string, signal?: AbortSignal): Promise<JwtSvid> {
    await this.#api.validateJWTSVID({ svid: token, audience }, call(this.#until(signal)));
    return parseJwtSvidUnverified(token, [audience], unixSeconds(this.#clock));
  }

  [Symbol.dispose](): void {
    this.#disposed.abort(new Fault('canceled', 'the client of the Workload API was disposed'));
    this.#channel[Symbol.dispose]();
  }

  get #api() {
    return this.#channel.client(SpiffeWorkloadAPI);
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    const disposed = this.#disposed.signal;
    return signal === undefined ? disposed : AbortSignal.any([signal, disposed]);
  }

  async #first<Response, Value>(
    stream: (signal: AbortSignal) => AsyncIterable<Response>,
    read: (response: Response) => Value,
    signal: AbortSignal | undefined,
  ): Promise<Value> {
    const enough = new AbortController();
    try {
      const ended = AbortSignal.any([this.#until(signal), enough.signal]);
      for await (const response of stream(ended)) return read(response);
      throw new Fault('unavailable', 'the stream ended without a response');
    } finally {
      enough.abort();
    }
  }

  async *#watch<Response, Value>(
    stream: (signal: AbortSignal) => AsyncIterable<Response>,
    read: (response: Response) => Value,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Value, void> {
    const left = new AbortController();
    const ended = AbortSignal.any([this.#until(signal), left.signal]);
    try {
      yield* follow({ stream, read, clock: this.#clock, failed: this.#failed }, ended);
    } finally {
      left.abort();
    }
  }
}

const call = (signal: AbortSignal) => ({ headers: SECURITY_HEADER, signal });
