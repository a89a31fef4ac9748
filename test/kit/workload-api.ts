import assert from 'node:assert/strict';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../src/base/fault.ts';
import { silentLog } from '../../src/ops/log.ts';
import { createRpcServer } from '../../src/rpc/serve.ts';
import { type Implementation, implement } from '../../src/rpc/service.ts';
import { listenUnix } from '../../src/rpc/unix-socket.ts';
import {
  type JWTSVIDResponseSchema,
  SpiffeWorkloadAPI,
  type X509SVIDResponseSchema,
} from '../../src/wire/gen/spiffe/workload/workload_pb.ts';

type Answer = MessageInitShape<typeof X509SVIDResponseSchema> | Fault;
type JwtRequest = { readonly audience: readonly string[]; readonly spiffeId: string };
type JwtAnswer = MessageInitShape<typeof JWTSVIDResponseSchema>;

/**
 * A Workload API that gives X509-SVIDs: what a test gave last, and each that it gives from then on. JWT-SVIDs and their
 * bundles are what its members say.
 */
export class FakeWorkloadApi implements AsyncDisposable {
  jwtBundles: Readonly<Record<string, Uint8Array>> = {};
  issueJwt: (request: JwtRequest) => Promise<JwtAnswer> = () =>
    Promise.reject(new Fault('denied', 'no identity issued'));
  #latest: Answer = new Fault('denied', 'no identity issued');
  #news = Promise.withResolvers<void>();
  readonly #closed = new AbortController();
  #close: () => Promise<void> = async () => {};

  static async serve(path: string): Promise<FakeWorkloadApi> {
    const api = new FakeWorkloadApi();
    const rpc = createRpcServer<undefined, AbortSignal>({
      services: [implement(SpiffeWorkloadAPI, api.#implementation())],
      async intercept(call, proceed) {
        assert.deepEqual(call.header('workload.spiffe.io'), ['true']);
        await proceed(AbortSignal.any([call.signal, api.#closed.signal]));
      },
      log: silentLog,
    });
    const listener = await listenUnix(path, {
      mode: 0o600,
      directoryMode: 0o700,
      onConnection: (socket) => {
        rpc.inject(socket, undefined);
      },
    });
    api.#close = async () => {
      api.#closed.abort();
      listener.close();
      await rpc.shutDown(0);
    };
    return api;
  }

  give(answer: Answer): void {
    this.#latest = answer;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  #implementation(): Implementation<typeof SpiffeWorkloadAPI, AbortSignal> {
    const refuse = () => Promise.reject(new Fault('unimplemented', 'not here'));
    const refuseStream = (): AsyncIterable<never> => ({
      [Symbol.asyncIterator]: () => ({ next: refuse }),
    });
    return {
      fetchX509SVID: (_request, ended) => this.#answers(ended),
      fetchX509Bundles: refuseStream,
      fetchJWTSVID: (request) => this.issueJwt(request),
      fetchJWTBundles: (_request, ended) => this.#bundles(ended),
      validateJWTSVID: refuse,
      fetchWITSVID: refuseStream,
      fetchWITBundles: refuseStream,
    };
  }

  async *#answers(ended: AbortSignal) {
    while (!ended.aborted) {
      const news = this.#news.promise;
      if (this.#latest instanceof Fault) throw this.#latest;
      yield this.#latest;
      await Promise.race([news, aborted(ended)]);
    }
  }

  async *#bundles(ended: AbortSignal) {
    yield { bundles: this.jwtBundles };
    await aborted(ended);
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
