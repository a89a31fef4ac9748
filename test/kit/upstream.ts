import { unixSeconds } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/fault.ts';
import type {
  LocalBundle,
  MintedX509Ca,
  MintX509CaRequest,
  Updates,
  UpstreamAuthority,
} from '../../src/plugins/upstream-authority/contract.ts';
import { signX509Ca } from '../../src/plugins/upstream-authority/local-signer.ts';
import { namedUpstreamAuthority } from '../../src/plugins/upstream-authority/named-upstream-authority.ts';
import type { KeyAuthority, X509Authority } from '../../src/spiffe/bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { type Changes, type Holder, intermediateAuthority, rootAuthority } from './certificates.ts';
import type { VirtualClock } from './clock.ts';

const YEAR = 365 * 24 * 3600;

/** An upstream authority in this process, which says what its fields say. */
export class FakeUpstream {
  readonly trustDomain = TrustDomain.parse('example.org');
  readonly clock: VirtualClock;
  /** What signs now, and what stands between it and its root. */
  signer: Holder;
  above: readonly Holder[] = [];
  bundle: LocalBundle;
  /** What calls fail with, by their name. */
  readonly failures = new Map<keyof UpstreamAuthority, unknown>();
  /** Bends the next answers. */
  bend: (minted: MintedX509Ca) => Partial<MintedX509Ca> = () => ({});
  /** The same, of those that take their time. */
  bendLater: (minted: MintedX509Ca) => Promise<Partial<MintedX509Ca>> = async () => ({});
  bendKeys: (keys: readonly KeyAuthority[]) => readonly KeyAuthority[] = (keys) => keys;
  /** What calls wait for before they are answered. */
  hang: Promise<unknown> = Promise.resolve();
  minted = 0;
  readonly requests: MintX509CaRequest[] = [];
  readonly streams: UpdateStream<LocalBundle>[] = [];
  readonly rootStreams: UpdateStream<readonly X509Authority[]>[] = [];
  readonly keyStreams: UpdateStream<readonly KeyAuthority[]>[] = [];

  private constructor(clock: VirtualClock, root: Holder) {
    this.clock = clock;
    this.signer = root;
    this.bundle = { x509Authorities: [rootOf(root)], jwtKeys: [] };
  }

  static async create(clock: VirtualClock): Promise<FakeUpstream> {
    return new FakeUpstream(clock, await FakeUpstream.root(clock, 'root'));
  }

  static root(clock: VirtualClock, name: string): Promise<Holder> {
    return rootAuthority(name, lifetime(clock));
  }

  /** What signs is from now on below the former signer. */
  async descend(name: string, changes: Changes = {}): Promise<Holder> {
    const life = lifetime(this.clock);
    const below = await intermediateAuthority(this.signer, name, { ...life, ...changes });
    this.above = [below, ...this.above];
    this.signer = below;
    return below;
  }

  /** Another root signs from now on, and is known beside the others. */
  async replaceRoot(name: string): Promise<Holder> {
    const root = await FakeUpstream.root(this.clock, name);
    this.signer = root;
    this.above = [];
    this.bundle = {
      ...this.bundle,
      x509Authorities: [...this.bundle.x509Authorities, rootOf(root)],
    };
    return root;
  }

  /** Tells those who follow the bundle. */
  tell(changes: Partial<LocalBundle>): void {
    this.bundle = { ...this.bundle, ...changes };
    for (const stream of this.streams) stream.push(this.bundle);
  }

  taint(root: Holder): void {
    this.tell({
      x509Authorities: this.bundle.x509Authorities.map((authority) =>
        isOf(root)(authority) ? { ...authority, tainted: true } : authority,
      ),
    });
  }

  revoke(root: Holder): void {
    const is = isOf(root);
    this.tell({ x509Authorities: this.bundle.x509Authorities.filter((one) => !is(one)) });
  }

  get authority(): UpstreamAuthority {
    return namedUpstreamAuthority({
      name: 'fake',
      mintX509Ca: (request) => this.#mint(request),
      publishJwtKey: (key, signal) => this.#publish(key, signal),
      subscribeToLocalBundle: (signal) => this.#subscribe(signal),
      async [Symbol.asyncDispose]() {},
    });
  }

  async #mint(request: MintX509CaRequest): Promise<MintedX509Ca> {
    await this.#refuse('mintX509Ca', request.signal);
    this.requests.push(request);
    const { certificate, key } = this.signer;
    const der = await signX509Ca(
      { certificate, signer: key },
      { ...request, now: unixSeconds(this.clock), trustDomain: this.trustDomain },
    );
    this.minted++;
    const updates = new UpdateStream<readonly X509Authority[]>(request.signal);
    this.rootStreams.push(updates);
    const minted = {
      x509CaChain: [der, ...this.above.map((holder) => holder.certificate.der)],
      upstreamRoots: this.bundle.x509Authorities,
      updates,
    };
    return { ...minted, ...this.bend(minted), ...(await this.bendLater(minted)) };
  }

  async #publish(key: KeyAuthority, signal: AbortSignal) {
    await this.#refuse('publishJwtKey', signal);
    this.bundle = { ...this.bundle, jwtKeys: [...this.bundle.jwtKeys, key] };
    const updates = new UpdateStream<readonly KeyAuthority[]>(signal);
    this.keyStreams.push(updates);
    return { jwtKeys: this.bendKeys(this.bundle.jwtKeys), updates };
  }

  async #subscribe(signal: AbortSignal) {
    await this.#refuse('subscribeToLocalBundle', signal);
    const updates = new UpdateStream<LocalBundle>(signal);
    this.streams.push(updates);
    return { bundle: this.bundle, updates };
  }

  async #refuse(call: keyof UpstreamAuthority, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    await Promise.race([this.hang, aborted]);
    const failure = this.failures.get(call);
    if (failure !== undefined) throw failure;
  }
}

/** What a test pushes, until it ends or breaks the stream. */
export class UpdateStream<T> implements Updates<T> {
  readonly signal: AbortSignal;
  readonly #waiting: T[] = [];
  #end: { readonly error: unknown } | undefined;
  #news = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener('abort', () => this.fail(signal.reason), { once: true });
  }

  push(update: T): void {
    this.#waiting.push(update);
    this.#wake();
  }

  end(): void {
    this.#end ??= { error: undefined };
    this.#wake();
  }

  fail(error: unknown = new Fault('unavailable', 'broken')): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#end === undefined) await this.#news.promise;
      else if (this.#end.error === undefined) return;
      else throw this.#end.error;
    }
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

export const rootOf = ({ certificate }: Holder, tainted = false): X509Authority => ({
  der: certificate.der,
  tainted,
});

const isOf =
  ({ certificate }: Holder) =>
  ({ der }: X509Authority): boolean =>
    Buffer.compare(der, certificate.der) === 0;

function lifetime(clock: VirtualClock) {
  const now = unixSeconds(clock);
  return { notBefore: now - 60, notAfter: now + YEAR };
}
