import type { DescService } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import type { CallOptions, Channel, Client, ClientTls, DialOptions } from '../../rpc/dial.ts';
import { Gate } from './gate.ts';

export type ServerConnectionDeps = {
  /** `host:port`. */
  readonly address: string;
  readonly tls: ClientTls;
  readonly dial: (options: DialOptions) => Channel;
};

export type ServerCallOptions = {
  readonly signal: AbortSignal;
  readonly timeoutMilliseconds?: number;
  /** Its failure says nothing about the connection. */
  readonly keepsConnection?: boolean;
};

/** For every call that names no other (`reference/agent.md` §2.8). */
export const RPC_MILLISECONDS = 30_000;
/** The server's answers grow with the number of entries, and it is ours. */
const MAX_RECEIVE_BYTES = 128 * 1024 * 1024;

/**
 * The one connection to the server that all calls share. It is given up after a failed call, and made anew by the
 * next one; calls in flight on it end first.
 */
export class ServerConnection implements Disposable {
  readonly #deps: ServerConnectionDeps;
  readonly #gate = new Gate();
  #channel: Channel | undefined;
  /** Ends the streams of the connection. */
  #ending = new AbortController();

  constructor(deps: ServerConnectionDeps) {
    this.#deps = deps;
  }

  /** Runs one call. Waits while the agent's SVID is being replaced. */
  async call<S extends DescService, T>(
    service: S,
    run: (client: Client<S>, options: CallOptions) => Promise<T>,
    options: ServerCallOptions,
  ): Promise<T> {
    return this.#gate.share(() => this.#run(service, run, options), options.signal);
  }

  /**
   * The answers of a call that has no end of its own. It holds up nothing: when the connection is given up, it ends as
   * if the server had ended it. Its failure says nothing about the connection.
   */
  async *stream<S extends DescService, T>(
    service: S,
    run: (client: Client<S>, options: CallOptions) => AsyncIterable<T>,
    signal: AbortSignal,
  ): AsyncGenerator<T, void, undefined> {
    await this.#gate.share(async () => {}, signal); // not while the SVID is being replaced
    const ended = this.#ending.signal;
    const options = { signal: AbortSignal.any([signal, ended]) };
    try {
      yield* run(this.#dialled().client(service), options);
    } catch (error) {
      if (!ended.aborted || signal.aborted) throw error;
    }
  }

  /**
   * Runs this while no other call is under way, so that none is refused because it came with an SVID that the server
   * has just seen the successor of. The call it is given is for its own use. The connection is given up after.
   */
  async alone<T>(run: (call: ServerConnection['call']) => Promise<T>): Promise<T> {
    return this.#gate.alone(async () => {
      try {
        return await run((service, call, options) => this.#run(service, call, options));
      } finally {
        this.drop();
      }
    });
  }

  drop(): void {
    this.#channel?.[Symbol.dispose]();
    this.#channel = undefined;
    this.#ending.abort(new Fault('canceled', 'the connection to the server was given up'));
    this.#ending = new AbortController();
  }

  [Symbol.dispose](): void {
    this.drop();
  }

  async #run<S extends DescService, T>(
    service: S,
    run: (client: Client<S>, options: CallOptions) => Promise<T>,
    { signal, timeoutMilliseconds = RPC_MILLISECONDS, keepsConnection = false }: ServerCallOptions,
  ): Promise<T> {
    signal.throwIfAborted();
    const channel = this.#dialled();
    try {
      return await run(channel.client(service), { signal, timeoutMilliseconds });
    } catch (error) {
      const tellsNothing = keepsConnection || signal.aborted; // nobody waited for it any more
      if (!tellsNothing && channel === this.#channel) this.drop();
      throw error;
    }
  }
  #dialled(): Channel {
    const { address, tls, dial } = this.#deps;
    this.#channel ??= dial({ address, tls, maxReceiveBytes: MAX_RECEIVE_BYTES });
    return this.#channel;
  }
}
