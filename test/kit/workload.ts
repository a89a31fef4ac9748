import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { parseCertificates } from '../../src/crypto/x509/certificate.ts';
import { dial } from '../../src/rpc/dial.ts';
import {
  SpiffeWorkloadAPI,
  type X509SVID,
  type X509SVIDResponse,
} from '../../src/wire/gen/spiffe/workload/workload_pb.ts';
import { eventually } from './programs.ts';

const headers = { 'workload.spiffe.io': 'true' };

/** Calls to the Workload API, as one workload makes them. */
export class Workload implements Disposable {
  readonly #channel;
  readonly #api;

  constructor(socketPath: string) {
    this.#channel = dial({ address: `unix:${socketPath}`, maxReceiveBytes: 64 * 1024 * 1024 });
    this.#api = this.#channel.client(SpiffeWorkloadAPI);
  }

  /** The first update. Rejects where there is no identity. */
  async x509(): Promise<X509SVIDResponse> {
    for await (const update of this.#api.fetchX509SVID({}, { headers })) return update;
    return assert.fail('the stream ended without an update');
  }

  /** The IDs that it has, in the API's order; none where it is told that it has none. */
  async ids(): Promise<string[]> {
    try {
      return (await this.x509()).svids.map(({ spiffeId }) => spiffeId);
    } catch (error) {
      assert.equal((error as { kind?: string }).kind, 'denied', String(error));
      return [];
    }
  }

  /** Until it has these IDs, no more and no others. */
  async has(...ids: readonly string[]): Promise<void> {
    let seen: readonly string[] = [];
    await eventually(
      async () => {
        seen = await this.ids();
        return seen.toSorted().join() === ids.toSorted().join();
      },
      () => `${ids.join(' ') || 'no identity'}; there is ${seen.join(' ')}`,
    );
  }

  watchX509(): Watched<X509SVIDResponse> {
    return new Watched((signal) => this.#api.fetchX509SVID({}, { headers, signal }));
  }

  watchX509Bundles() {
    return new Watched((signal) => this.#api.fetchX509Bundles({}, { headers, signal }));
  }

  watchJwtBundles() {
    return new Watched((signal) => this.#api.fetchJWTBundles({}, { headers, signal }));
  }

  async jwt(audience: readonly string[], spiffeId = '') {
    const { svids } = await this.#api.fetchJWTSVID(
      { audience: [...audience], spiffeId },
      { headers },
    );
    return svids;
  }

  validate(svid: string, audience: string) {
    return this.#api.validateJWTSVID({ svid, audience }, { headers });
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }
}

/** The test's own process as a workload, or what is behind another socket. It ends with the test. */
export function workloadOf(t: TestContext, socketPath: string): Workload {
  const workload = new Workload(socketPath);
  t.after(() => {
    workload[Symbol.dispose]();
  });
  return workload;
}

/** What a stream has brought so far. */
export class Watched<T> implements Disposable {
  readonly messages: T[] = [];
  /** Why it ended, if it did; undefined too if it ended well. */
  failure: unknown;
  isOpen = true;
  readonly #controller = new AbortController();

  constructor(open: (signal: AbortSignal) => AsyncIterable<T>) {
    void this.#read(open(this.#controller.signal));
  }

  get last(): T | undefined {
    return this.messages.at(-1);
  }

  /** Until a message is as wanted, of those from the given one on. A stream that ends before that fails. */
  async until(isWanted: (message: T) => boolean, what: string, from = 0): Promise<T> {
    let found: T | undefined;
    await eventually(() => {
      found = this.messages.slice(from).find(isWanted);
      if (found === undefined && !this.isOpen) {
        throw new Error(`the stream ended before ${what}: ${String(this.failure)}`);
      }
      return found !== undefined;
    }, what);
    return found ?? assert.fail();
  }

  /** Until it has ended well. Rejects with what it ended with otherwise. */
  async complete(): Promise<void> {
    await eventually(() => !this.isOpen, 'the end of the stream');
    if (this.failure !== undefined) throw this.failure;
  }

  [Symbol.dispose](): void {
    this.#controller.abort();
  }

  async #read(stream: AsyncIterable<T>): Promise<void> {
    try {
      for await (const message of stream) this.messages.push(message);
    } catch (error) {
      this.failure = error;
    } finally {
      this.isOpen = false;
    }
  }
}

/** The leaf of an SVID. */
export function leafOf({ x509Svid }: X509SVID) {
  const [leaf] = parseCertificates(x509Svid);
  return leaf ?? assert.fail('no certificate in the SVID');
}
