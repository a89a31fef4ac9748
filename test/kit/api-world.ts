import { randomUUID } from 'node:crypto';
import { after, before, suite } from 'node:test';
import { buildCsr } from '../../src/crypto/csr.ts';
import { generateKey, type PrivateKey } from '../../src/crypto/keys.ts';
import { alwaysSteady } from '../../src/ops/clock-watch.ts';
import { silentLog } from '../../src/ops/log.ts';
import { noMetrics } from '../../src/ops/metrics.ts';
import { createMemoryKeyManager } from '../../src/plugins/key-manager/memory/memory-key-manager.ts';
import { joinTokenAttestor } from '../../src/plugins/node-attestor/join-token/server.ts';
import type { ServerServicesDeps } from '../../src/server/api/services.ts';
import { ChangeWatch } from '../../src/server/api/watch/change-watch.ts';
import { type AuthoritiesConfig, startAuthorities } from '../../src/server/ca/start-authorities.ts';
import type { Datastore, NewEntry } from '../../src/server/datastore/contract.ts';
import { openSqliteDatastore } from '../../src/server/datastore/open-sqlite.ts';
import { createRegistry } from '../../src/server/registry/create-registry.ts';
import type { Agent } from '../../src/spiffe/agent.ts';
import { type Bundle, emptyBundle } from '../../src/spiffe/bundle.ts';
import type { Entry } from '../../src/spiffe/entry.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { plainAgent } from './api-call.ts';
import { authoritiesConfig } from './authorities.ts';
import { FakeBundleManager } from './bundle-manager.ts';
import { VirtualClock } from './clock.ts';
import { fixedLevels } from './program-env.ts';

/** What the API's handlers work on in a server: real parts, an SQLite database in memory, time at a standstill. */
export class ApiWorld {
  readonly trustDomain = TrustDomain.parse('example.org');
  readonly clock = new VirtualClock();
  #deps: ServerServicesDeps | undefined;
  #datastore: Datastore | undefined;
  #opened: AsyncDisposable | undefined;
  #key: PrivateKey | undefined;

  /** All that `serverServices` needs; tests replace what they are about. */
  get deps(): ServerServicesDeps {
    if (this.#deps === undefined) throw new Error('the world is not open');
    return this.#deps;
  }

  /** What is stored, whatever the registry remembers. */
  get datastore(): Datastore {
    if (this.#datastore === undefined) throw new Error('the world is not open');
    return this.#datastore;
  }

  async open(changed: Partial<AuthoritiesConfig> = {}): Promise<void> {
    const config = { ...authoritiesConfig, ...changed, trustDomain: this.trustDomain };
    await using opened = new AsyncDisposableStack();
    const { trustDomain, clock } = this;
    const datastore = opened.use(
      await openSqliteDatastore({
        connectionString: 'file::memory:',
        codeVersion: '1.16.0',
        log: silentLog,
        clock,
      }),
    );
    const registry = await createRegistry({ datastore, trustDomain, log: silentLog });
    const keyManager = opened.use(createMemoryKeyManager());
    const authorities = opened.use(
      await startAuthorities({
        clockWatch: alwaysSteady,
        keyManager,
        datastore,
        registry,
        upstream: undefined,
        config,
        metrics: noMetrics,
        clock,
        log: silentLog,
      }),
    );
    const { joinTokens, bundles: storedBundles } = datastore;
    const { publicKey } = await this.key();
    const { chain: ownChain } = await authorities.issuer.serverX509Svid(publicKey);
    this.#datastore = datastore;
    this.#deps = {
      ...registry,
      trustDomain,
      clock,
      issuer: authorities.issuer,
      joinTokens,
      storedBundles,
      nodeAttestors: new Map([
        ['join_token', joinTokenAttestor({ joinTokens, clock, trustDomain })],
      ]),
      manager: authorities.manager,
      keeper: authorities.keeper,
      publishJwtAuthority: (authority) => authorities.publishJwtAuthority(authority),
      newUuid: randomUUID,
      bundleManager: new FakeBundleManager(),
      logLevels: fixedLevels(),
      changes: opened.use(
        new ChangeWatch({ ...registry, trustDomain, clock, random: () => 0.5, log: silentLog }),
      ),
      ownChain: () => ownChain,
      startedAt: clock.now(),
      jwtSvidsDisabled: false,
      witSvidsEnabled: config.witKeyType !== undefined,
      agentSpiffeIdAsSelector: false,
    };
    this.#opened = opened.move();
  }

  async close(): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
  }

  id(path: string): SpiffeId {
    return SpiffeId.of(this.trustDomain, path);
  }

  /** Stores an agent. */
  agent(name: string, fields: Partial<Agent> = {}): Promise<Agent> {
    const id = this.id(`/spire/agent/${name}`);
    return this.deps.agents.attested({ ...plainAgent, id, ...fields });
  }

  /** Stores an entry. */
  async entry(fields: Partial<NewEntry> & Pick<NewEntry, 'spiffeId'>): Promise<Entry> {
    const { entry } = await this.deps.entries.create({ ...this.plainEntry, ...fields });
    return entry;
  }

  get plainEntry(): Omit<NewEntry, 'spiffeId'> {
    return {
      id: '',
      parentId: this.id('/spire/agent/plain'),
      selectors: [{ type: 'unix', value: 'uid:1000' }],
      x509SvidTtlSeconds: 0,
      jwtSvidTtlSeconds: 0,
      federatesWith: [],
      admin: false,
      downstream: false,
      expiresAt: 0,
      dnsNames: [],
      storeSvid: false,
      hint: '',
      additionalAttributes: undefined,
    };
  }

  /** Stores the bundle of another trust domain. */
  bundle(name: string, fields: Partial<Bundle> = {}): Promise<Bundle> {
    const bundle = { ...emptyBundle(TrustDomain.parse(name)), ...fields };
    return this.deps.bundles.set(bundle);
  }

  get ownBundle(): Bundle {
    const bundle = this.deps.bundles.get(this.trustDomain);
    if (bundle === undefined) throw new Error('there is no bundle');
    return bundle;
  }

  /** One key for all: making keys takes longer than the tests. */
  async key(): Promise<PrivateKey> {
    this.#key ??= await generateKey('ec-p256');
    return this.#key;
  }

  async csr(
    content: Partial<Parameters<typeof buildCsr>[0]> = {},
    key?: PrivateKey,
  ): Promise<Uint8Array> {
    return buildCsr({ dnsNames: [], uris: [], ...content }, key ?? (await this.key()));
  }
}

/** Tests that share one world, which lives as long as they run. */
export function apiSuite(
  name: string,
  declare: (world: ApiWorld) => void,
  config: Partial<AuthoritiesConfig> = {},
): void {
  suite(name, () => {
    const world = new ApiWorld();
    before(() => world.open(config));
    after(() => world.close());
    declare(world);
  });
}

/** Bytes with one of them changed, from the end. */
export function damaged(bytes: Uint8Array, fromEnd = 1): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = copy.length - fromEnd;
  copy[index] = (copy[index] ?? 0) ^ 0x01;
  return copy;
}
