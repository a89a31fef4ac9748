import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type AgentCore, type AgentCoreOptions, startCore } from '../../src/agent/core.ts';
import { openAgentData } from '../../src/agent/storage/agent-data-file.ts';
import { writePem } from '../../src/crypto/pem.ts';
import { noMetrics } from '../../src/ops/metrics.ts';
import { noTracer } from '../../src/ops/tracing.ts';
import { createMemoryKeyManager } from '../../src/plugins/key-manager/memory/memory-key-manager.ts';
import { joinTokenAgentAttestor } from '../../src/plugins/node-attestor/join-token/agent.ts';
import type { Entry } from '../../src/spiffe/entry.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { VirtualClock } from './clock.ts';
import { FakeServer, type FakeServerOptions } from './fake-server.ts';
import { type LogLine, recordingLog } from './recording-log.ts';

export const fakeTrustDomain = TrustDomain.parse('fake.test');

/** An entry of the fake server's trust domain. */
export const fakeEntry = (
  id: string,
  selectors: readonly string[],
  more: Partial<Entry> = {},
): Entry => ({
  id,
  spiffeId: SpiffeId.of(fakeTrustDomain, `/${id}`),
  parentId: SpiffeId.of(fakeTrustDomain, '/spire/agent/join_token/token'),
  selectors: selectors.map(parseSelector),
  x509SvidTtlSeconds: 0,
  jwtSvidTtlSeconds: 0,
  federatesWith: [],
  admin: false,
  downstream: false,
  expiresAt: 0,
  dnsNames: [],
  revisionNumber: 0,
  storeSvid: false,
  hint: '',
  createdAt: 1,
  additionalAttributes: undefined,
  ...more,
});

/** A fake server, and what agents of one node keep between their runs. */
export class AgentWorld implements AsyncDisposable {
  readonly clock: VirtualClock;
  readonly server: FakeServer;
  readonly directory: string;
  readonly lines: LogLine[] = [];
  keyManager = createMemoryKeyManager();
  readonly #cores = new Set<AgentCore>();

  private constructor(clock: VirtualClock, server: FakeServer, directory: string) {
    this.clock = clock;
    this.server = server;
    this.directory = directory;
  }

  /** The server's certificates are of the time of `clock`, by default the world's own. */
  static async create(
    more: Partial<Pick<FakeServerOptions, 'clock' | 'tlsGroups'>> = {},
  ): Promise<AgentWorld> {
    const clock = new VirtualClock();
    const server = await FakeServer.start({ clock, trustDomain: fakeTrustDomain, ...more });
    const directory = await mkdtemp(join(tmpdir(), 'agent-'));
    await writeFile(
      join(directory, 'bundle.pem'),
      writePem('CERTIFICATE', server.ca.certificate.der),
    );
    return new AgentWorld(clock, server, directory);
  }

  async options(more: Partial<AgentCoreOptions> = {}): Promise<AgentCoreOptions> {
    return {
      trustDomain: fakeTrustDomain,
      configuredTrustDomain: fakeTrustDomain.name,
      serverHost: '127.0.0.1',
      serverPort: this.server.port,
      bundleSource: { kind: 'path', path: join(this.directory, 'bundle.pem'), format: 'pem' },
      storage: await openAgentData(join(this.directory, 'data')),
      keyManager: this.keyManager,
      keysAreLost: true,
      nodeAttestor: joinTokenAgentAttestor('token'),
      svidStores: [],
      dataDirectory: join(this.directory, 'data'),
      keepSvidsOnDisk: false,
      rebootstrap: { mode: 'never', delayMilliseconds: 0 },
      requirePostQuantum: false,
      workloadX509SvidKeyType: 'ec-p256',
      availabilityTargetSeconds: 0,
      syncIntervalMilliseconds: 5000,
      useSyncAuthorizedEntries: true,
      x509SvidCacheMaxSize: 1000,
      jwtSvidCacheMaxSize: 1000,
      jwtSvidCacheHitTimeoutMilliseconds: 30_000,
      version: '1.16.0',
      metrics: noMetrics,
      tracer: noTracer,
      clock: this.clock,
      random: () => 0.5,
      environment: {},
      log: recordingLog(this.lines),
      ...more,
    };
  }

  /** Starts an agent; it ends with the world. */
  async start(
    more: Partial<AgentCoreOptions> = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<AgentCore> {
    const core = await startCore(await this.options(more), signal);
    this.#cores.add(core);
    return core;
  }

  messages(): string[] {
    return this.lines.map(({ message }) => message);
  }

  /** The text of the error that came with the first such line; '' if there is none. */
  errorOf(message: string): string {
    const error = this.lines.find((line) => line.message === message)?.fields['error'];
    return error instanceof Error ? error.message : '';
  }

  /**
   * Runs an agent's loops; `pass` lets time go by in steps that each loop finishes before the next. A test that does
   * not expect the end of the loops ends them with `stop`.
   */
  run(core: AgentCore, loops = LOOPS) {
    const stopping = new AbortController();
    let ended = false;
    const run = core.run(stopping.signal).finally(() => {
      ended = true;
    });
    run.catch(() => undefined); // told to whoever awaits it
    const rest = () => until(() => ended || this.clock.sleepers >= loops, 'the loops to rest');
    return {
      run,
      pass: async (seconds: number): Promise<void> => {
        for (let step = 0; step < seconds * 2; step++) {
          await rest();
          if (ended) return;
          await this.clock.advance({ milliseconds: 500 });
        }
        await rest();
      },
      stop: async (): Promise<void> => {
        stopping.abort(new Error('stopped by the test'));
        await run;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const core of this.#cores) core[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
  }
}

/** Synchronising, minting, rotating the agent's own SVID, telling stores, and waiting for a service the server lacks. */
const LOOPS = 5;
/** Real work between moves of the clock takes at most so long. */
const PATIENCE_MILLISECONDS = 5000;

/** Waits for what happens without the clock: files, sockets, signatures. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MILLISECONDS;
  while (!condition()) {
    if (performance.now() > deadline) assert.fail(`waited in vain for ${what}`);
    await pause(1);
  }
}
