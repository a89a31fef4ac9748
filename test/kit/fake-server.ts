import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { DescService } from '@bufbuild/protobuf';
import { Mailbox } from '../../src/agent/cache/mailbox.ts';
import { type Clock, unixSeconds } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/fault.ts';
import { writePem } from '../../src/crypto/pem.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { silentLog } from '../../src/ops/log.ts';
import { createRpcServer, type RpcServer } from '../../src/rpc/serve.ts';
import type { BoundService, Implementation } from '../../src/rpc/service.ts';
import type { Bundle } from '../../src/spiffe/bundle.ts';
import type { Entry } from '../../src/spiffe/entry.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { bundleToProto } from '../../src/wire/bundle.ts';
import { entryToProto } from '../../src/wire/entry.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle as BundleApi } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry as EntryApi } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import type { EntryMask } from '../../src/wire/gen/spire/api/types/entry_pb.ts';
import { Watch } from '../../src/wire/gen/steeple/server/watch/v1/watch_pb.ts';
import { spiffeIdToProto } from '../../src/wire/spiffe-id.ts';
import { TestCa } from './test-ca.ts';

export type FakeServerOptions = {
  readonly clock: Pick<Clock, 'now'>;
  readonly trustDomain?: TrustDomain;
  /** How it may agree on keys, in OpenSSL's names; OpenSSL's own choice if absent. */
  readonly tlsGroups?: string;
};

/** Who called: the leaf that was presented, if any. */
type Peer = { readonly uri: string | undefined; readonly serialNumber: bigint | undefined };
type CallContext = Peer & { readonly signal: AbortSignal };
export type SeenCall = Peer & { readonly method: string };

const YEAR = 365 * 24 * 3600;

/**
 * A SPIRE server on loopback, as far as an agent can tell: real TLS, real gRPC, certificates by the test's clock. What
 * it answers is in its public fields, which a test changes while it runs.
 */
export class FakeServer implements AsyncDisposable {
  readonly ca: TestCa;
  readonly port: number;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #close: () => Promise<void>;

  /** Join tokens that were not used yet. */
  readonly tokens = new Set(['token']);
  /** Asked of whoever attests, before it is answered; the answers it must give are the same bytes. */
  challenges: readonly Uint8Array[] = [];
  reattestable = false;
  agentTtlSeconds = 3600;
  svidTtlSeconds = 3600;
  jwtTtlSeconds = 300;
  entries: readonly Entry[] = [];
  /** More entries than this are synchronised by revision, in pages of this size. */
  pageSize = 500;
  bundle: Bundle;
  readonly federatedBundles = new Map<string, Bundle>();
  /** What a method throws, by its name, as long as it is here. */
  readonly failures = new Map<string, Fault>();
  /** Every call, in the order of their arrival. */
  readonly calls: SeenCall[] = [];
  /** Whether it has the service with which agents watch for changes; SPIRE's servers do not. */
  canWatch = false;
  readonly #watches = new Set<Mailbox<object>>();
  #arrived: (() => void) | undefined;

  private constructor(
    ca: TestCa,
    port: number,
    clock: Pick<Clock, 'now'>,
    close: () => Promise<void>,
  ) {
    this.ca = ca;
    this.port = port;
    this.bundle = ca.bundle();
    this.#clock = clock;
    this.#close = close;
  }

  static async start({
    clock,
    trustDomain = TrustDomain.parse('fake.test'),
    tlsGroups,
  }: FakeServerOptions): Promise<FakeServer> {
    const now = unixSeconds(clock);
    const lifetime = { notBefore: now - 10, notAfter: now + 10 * YEAR };
    const ca = await TestCa.create(trustDomain, lifetime);
    let rpc: RpcServer<Peer> | undefined;
    const tls = await tlsServer(ca, lifetime, tlsGroups, (socket) =>
      rpc?.inject(socket, peerOf(socket)),
    );
    const server = new FakeServer(ca, tls.port, clock, async () => {
      await rpc?.[Symbol.asyncDispose]();
      await tls.close();
    });
    rpc = createRpcServer<Peer, CallContext>({
      services: server.#services(),
      log: silentLog,
      intercept: async ({ method, peer, signal }, proceed) => {
        const name = method.slice(method.lastIndexOf('/') + 1);
        server.calls.push({ method: name, ...peer });
        server.#arrived?.();
        const failure = server.failures.get(name) ?? server.failures.get('*');
        if (failure !== undefined) throw failure;
        await proceed({ ...peer, signal });
      },
    });
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get agentId(): SpiffeId {
    return SpiffeId.of(this.ca.trustDomain, '/spire/agent/join_token/token');
  }

  countOf(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  /** Resolves once that many calls of a method have arrived since the start. */
  async reached(method: string, count: number): Promise<void> {
    while (this.countOf(method) < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  /** Tells agents that watch that something changed. */
  tell(): void {
    for (const watch of this.#watches) watch.deliver({});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async *#watch(signal: AbortSignal) {
    if (!this.canWatch) throw new Fault('unimplemented', 'unknown service');
    const watch = new Mailbox<object>();
    this.#watches.add(watch);
    try {
      for (yield {}; ; yield {}) await watch.next(signal);
    } finally {
      this.#watches.delete(watch);
    }
  }

  #lifetime(ttlSeconds: number) {
    const now = unixSeconds(this.#clock);
    return { notBefore: now, notAfter: now + ttlSeconds };
  }

  #services(): readonly BoundService<CallContext>[] {
    return [
      partly(Agent, {
        attestAgent: (requests) => this.#attest(requests),
        renewAgent: async ({ params }) => ({ svid: await this.#agentSvid(params?.csr) }),
        postStatus: async () => ({}),
      }),
      partly(BundleApi, {
        getBundle: async () => bundleToProto(this.bundle),
        getFederatedBundle: async ({ trustDomain }) => {
          const bundle = this.federatedBundles.get(trustDomain);
          if (bundle === undefined) throw new Fault('not-found', 'bundle not found');
          return bundleToProto(bundle);
        },
      }),
      partly(EntryApi, {
        getAuthorizedEntries: async ({ outputMask }) => ({ entries: this.#protos(outputMask) }),
        syncAuthorizedEntries: (requests) => this.#sync(requests),
      }),
      partly(Watch, { watchChanges: (_, { signal }) => this.#watch(signal) }),
      partly(SVID, {
        batchNewX509SVID: async ({ params }) => ({
          results: await Promise.all(
            params.map(async ({ entryId, csr }) => {
              const entry = this.entries.find(({ id }) => id === entryId);
              if (entry === undefined) {
                return { status: { code: 5, message: 'entry not found or not authorized' } };
              }
              const lifetime = this.#lifetime(this.svidTtlSeconds);
              const der = await this.ca.workloadSvid(entry.spiffeId, csr, lifetime);
              const id = spiffeIdToProto(entry.spiffeId);
              return { status: { code: 0, message: 'OK' }, svid: { certChain: [der], id } };
            }),
          ),
        }),
        newJWTSVID: async ({ entryId, audience }) => {
          const entry = this.entries.find(({ id }) => id === entryId);
          if (entry === undefined)
            throw new Fault('not-found', 'entry not found or not authorized');
          const lifetime = this.#lifetime(this.jwtTtlSeconds);
          return {
            svid: {
              token: await this.ca.jwtSvid(entry.spiffeId, audience, lifetime),
              id: spiffeIdToProto(entry.spiffeId),
              issuedAt: BigInt(lifetime.notBefore),
              expiresAt: BigInt(lifetime.notAfter),
            },
          };
        },
      }),
    ];
  }

  #protos(mask: EntryMask | undefined) {
    return this.entries.map((entry) => entryToProto(entry, mask));
  }

  async *#attest(requests: Requests<'attestAgent', typeof Agent>) {
    const reader = requests[Symbol.asyncIterator]();
    const first = (await reader.next()).value?.step;
    if (first?.case !== 'params') throw new Fault('invalid', 'malformed param: missing params');
    const token = Buffer.from(first.value.data?.payload ?? []).toString();
    if (first.value.data?.type === 'join_token' && !this.tokens.delete(token)) {
      const why = 'failed to attest: join token does not exist or has already been used';
      throw new Fault('invalid', why);
    }
    for (const challenge of this.challenges) {
      yield { step: { case: 'challenge' as const, value: challenge } };
      const answer = (await reader.next()).value?.step;
      if (answer?.case !== 'challengeResponse' || Buffer.compare(answer.value, challenge) !== 0) {
        throw new Fault('denied', 'wrong answer');
      }
    }
    const svid = await this.#agentSvid(first.value.params?.csr);
    const value = { svid, reattestable: this.reattestable };
    yield { step: { case: 'result' as const, value } };
  }

  async #agentSvid(csr: Uint8Array | undefined) {
    const lifetime = this.#lifetime(this.agentTtlSeconds);
    const der = await this.ca.agentSvid(this.agentId, csr ?? new Uint8Array(), lifetime);
    return { certChain: [der], id: spiffeIdToProto(this.agentId) };
  }

  async *#sync(requests: Requests<'syncAuthorizedEntries', typeof EntryApi>) {
    const reader = requests[Symbol.asyncIterator]();
    const { outputMask } = (await reader.next()).value ?? {};
    if (this.entries.length <= this.pageSize) {
      yield { entries: this.#protos(outputMask) };
      return;
    }
    for (let start = 0; start < this.entries.length; start += this.pageSize) {
      const page = this.entries.slice(start, start + this.pageSize);
      yield {
        entryRevisions: page.map(({ id, revisionNumber, createdAt }) => ({
          id,
          revisionNumber: BigInt(revisionNumber),
          createdAt: BigInt(createdAt),
        })),
        more: start + this.pageSize < this.entries.length,
      };
    }
    for (let next = await reader.next(); !next.done; next = await reader.next()) {
      const { ids } = next.value;
      this.calls.push({ method: `ids ${ids.length}`, uri: undefined, serialNumber: undefined });
      const asked = this.entries.filter(({ id }) => ids.includes(id));
      yield { entries: asked.map((entry) => entryToProto(entry, outputMask)), more: false };
    }
  }
}

type Requests<M extends string, S extends DescService> =
  Implementation<S, CallContext> extends Record<
    M,
    (requests: infer R, context: CallContext) => unknown
  >
    ? R
    : never;

/** Those methods of a service that a fake has. */
function partly<S extends DescService>(
  desc: S,
  handlers: Partial<Implementation<S, CallContext>>,
): BoundService<CallContext> {
  const byName = handlers as Record<string, (request: unknown, context: CallContext) => unknown>;
  const methods = desc.methods.flatMap((method) => {
    const handle = byName[method.localName];
    return handle === undefined ? [] : [{ desc: method, handle }];
  });
  return { desc, methods };
}

async function tlsServer(
  ca: TestCa,
  lifetime: { notBefore: number; notAfter: number },
  tlsGroups: string | undefined,
  onConnection: (socket: TLSSocket) => void,
) {
  const { chain, key } = await ca.serverSvid(lifetime);
  const tls = createTlsServer({
    cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
    key: writePem('PRIVATE KEY', key.toPkcs8()),
    ALPNProtocols: ['h2'],
    ...(tlsGroups !== undefined && { ecdhCurve: tlsGroups }),
    requestCert: true,
    rejectUnauthorized: false,
  });
  tls.on('secureConnection', onConnection);
  tls.on('tlsClientError', () => {}); // the client that refused us tells its test
  const sockets = new Set<{ destroy(): void }>();
  const tcp = createTcpServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    tls.emit('connection', socket);
  });
  await new Promise<void>((resolve) => {
    tcp.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (tcp.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        tcp.close(() => {
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function peerOf(socket: TLSSocket): Peer {
  const presented = socket.getPeerX509Certificate();
  if (presented === undefined) return { uri: undefined, serialNumber: undefined };
  const { uris, serialNumber } = parseCertificate(presented.raw);
  return { uri: uris[0], serialNumber };
}
