import { type Clock, unixSeconds } from '../../base/clock.ts';
import { repeat } from '../../base/repeat.ts';
import type { KeyType } from '../../crypto/keys.ts';
import type { ClockWatch } from '../../ops/clock-watch.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import type { KeyManager } from '../../plugins/key-manager/contract.ts';
import type { KeyAuthority } from '../../spiffe/bundle.ts';
import type { Subject } from '../../spiffe/subject.ts';
import type { Datastore } from '../datastore/contract.ts';
import type { BundleRegistry } from '../registry/contract.ts';
import type { SigningKey, X509Ca } from './authority.ts';
import { countActivation, countedKind, tellX509CaLife } from './authority-metrics.ts';
import { type BundleKeeper, createBundleKeeper } from './bundle-keeper.ts';
import type { Issuer } from './contract.ts';
import { countedIssuer } from './counted-issuer.ts';
import { createIssuer, type IssuerConfig } from './issuer.ts';
import { Journal } from './journal.ts';
import { pruneJournals } from './prune-journals.ts';
import { createRotator } from './rotator.ts';
import { createJwtKeyKind, createWitKeyKind } from './signing-key-kind.ts';
import { AuthoritySlots } from './slots.ts';
import { Upstream, type UpstreamDeps } from './upstream/upstream.ts';
import { createX509CaKind, x509AuthorityId } from './x509-ca-kind.ts';

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
/** The intervals of `reference/server.md` §§6.1–6.3. */
const ROTATION_INTERVAL = 10 * SECOND;
const BUNDLE_PRUNE_INTERVAL = 6 * HOUR;
const JOURNAL_PRUNE_INTERVAL = 8 * HOUR;

export type AuthoritiesConfig = IssuerConfig & {
  readonly caSubject: Subject;
  readonly caKeyType: KeyType;
  /** undefined: JWT-SVIDs are switched off. */
  readonly jwtKeyType: KeyType | undefined;
  /** undefined: WIT-SVIDs are switched off. */
  readonly witKeyType: KeyType | undefined;
};

export type AuthoritiesDeps = {
  readonly keyManager: Pick<KeyManager, 'generateKey' | 'getKey' | 'getKeys'>;
  readonly datastore: Pick<Datastore, 'caJournals'>;
  readonly registry: { readonly bundles: Pick<BundleRegistry, 'get' | 'modify'> };
  /** undefined: X.509 CAs sign themselves. */
  readonly upstream: Pick<UpstreamDeps, 'authority' | 'random' | 'signal'> | undefined;
  readonly config: AuthoritiesConfig;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Whether the date can be believed: what has expired by it is pruned. */
  readonly clockWatch: Pick<ClockWatch, 'isSteady'>;
  readonly log: Log;
};

/** The slots as LocalAuthority shows them; undefined for a kind that is switched off. */
export type AuthorityManager = {
  readonly x509: AuthoritySlots<X509Ca, 'x509CAs'>;
  readonly jwt: AuthoritySlots<SigningKey, 'jwtKeys'> | undefined;
  readonly wit: AuthoritySlots<SigningKey, 'witKeys'> | undefined;
  /** Whether X.509 CAs are signed by an authority above, rather than by themselves. */
  readonly hasUpstream: boolean;
  /** Why rotation is not healthy, or undefined. */
  problem(): string | undefined;
};

export type Authorities = AsyncDisposable & {
  readonly issuer: Issuer;
  readonly manager: AuthorityManager;
  readonly keeper: BundleKeeper;
  /** Makes a downstream server's key known to the trust domain; resolves with all its JWT authorities. */
  publishJwtAuthority(authority: KeyAuthority): Promise<readonly KeyAuthority[]>;
};

/**
 * Goes on with the authorities that the journal tells of, or makes the first ones; resolves when all of them can
 * sign. Then rotation and pruning run until it is disposed.
 */
export async function startAuthorities(deps: AuthoritiesDeps): Promise<Authorities> {
  const { keyManager, datastore, config, metrics, clock } = deps;
  const log = deps.log.child({ subsystem_name: 'ca_manager' });
  const keys = await keyManager.getKeys();
  const journal = await Journal.open(
    { store: datastore.caJournals, log },
    keys.map(({ publicKey }) => x509AuthorityId(publicKey.spki)),
  );
  const keeper = createBundleKeeper({
    bundles: deps.registry.bundles,
    trustDomain: config.trustDomain,
    metrics,
    clock,
    log,
  });
  const stop = new AbortController();
  const { signal } = stop;
  const publishLocally = async (key: KeyAuthority) =>
    (await keeper.append({ jwtAuthorities: [key] })).jwtAuthorities;
  const upstream =
    deps.upstream &&
    new Upstream({
      ...deps.upstream,
      signal: AbortSignal.any([deps.upstream.signal, signal]),
      bundles: deps.registry.bundles,
      publishLocally,
      trustDomain: config.trustDomain,
      clock,
      log,
    });
  const publishJwtKey = (key: KeyAuthority) =>
    upstream === undefined ? publishLocally(key) : upstream.publishJwtKey(key);
  const { x509, jwt, wit } = await loadSlots({ ...deps, log }, journal, {
    keeper,
    upstream,
    publishJwtKey,
  });
  const rotator = createRotator({
    x509,
    keys: [
      ...(jwt ? [{ name: 'JWT key', slots: jwt } as const] : []),
      ...(wit ? [{ name: 'WIT key', slots: wit } as const] : []),
    ],
    log,
  });
  upstream?.guard(x509);
  try {
    await rotator.rotateOrThrow();
  } catch (error) {
    stop.abort();
    await upstream?.settled();
    throw error;
  }
  upstream?.follow();

  const every = (milliseconds: number, task: () => Promise<void>) =>
    repeat({ clock, signal, milliseconds }, task);
  const pruning = {
    store: datastore.caJournals,
    ownRowId: () => journal.rowId,
    metrics,
    clock,
    log,
  };
  const loops = Promise.all([
    every(ROTATION_INTERVAL, () => rotator.rotate()),
    every(BUNDLE_PRUNE_INTERVAL, async () => {
      if (deps.clockWatch.isSteady()) await keeper.prune();
    }),
    every(JOURNAL_PRUNE_INTERVAL, () => pruneJournals(pruning)),
  ]);
  const active = {
    x509Ca: () => x509.active,
    jwtKey: () => jwt?.active,
    witKey: () => wit?.active,
  };
  return {
    issuer: countedIssuer(createIssuer({ config, active, clock }), metrics),
    manager: {
      x509,
      jwt,
      wit,
      hasUpstream: upstream !== undefined,
      problem: () => rotator.problem(),
    },
    keeper,
    publishJwtAuthority: publishJwtKey,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await upstream?.settled();
      await loops;
    },
  };
}

/** How what is prepared becomes known. */
type Publication = {
  readonly keeper: Pick<BundleKeeper, 'append'>;
  readonly upstream: Upstream | undefined;
  readonly publishJwtKey: (key: KeyAuthority) => Promise<unknown>;
};

async function loadSlots(
  { keyManager, registry, config, metrics, clock, log }: AuthoritiesDeps,
  journal: Journal,
  { keeper, upstream, publishJwtKey }: Publication,
) {
  const { trustDomain, caKeyType, jwtKeyType, witKeyType, caTtlSeconds, caSubject } = config;
  const shared = {
    keyManager,
    bundle: () => registry.bundles.get(trustDomain),
    ttlSeconds: caTtlSeconds,
    clock,
  };
  const publishWitKey = (key: KeyAuthority) => keeper.append({ witAuthorities: [key] });
  const x509 = new AuthoritySlots<X509Ca, 'x509CAs'>({
    kind: countedKind(
      createX509CaKind({
        ...shared,
        keeper,
        upstream,
        trustDomain,
        keyType: caKeyType,
        subject: caSubject,
      }),
      metrics,
    ),
    journal,
    clock,
    log,
    activated: (authority) => {
      countActivation(metrics, 'X509 CA');
      tellX509CaLife({ metrics, trustDomain, clock }, authority);
      log.debug('Successfully rotated X.509 CA', {
        trust_domain_id: trustDomain.idString,
        ttl: authority.notAfter - unixSeconds(clock),
      });
    },
  });
  const jwt =
    jwtKeyType &&
    new AuthoritySlots<SigningKey, 'jwtKeys'>({
      kind: countedKind(
        createJwtKeyKind({ ...shared, publish: publishJwtKey, keyType: jwtKeyType }),
        metrics,
      ),
      journal,
      clock,
      log,
      activated: () => {
        countActivation(metrics, 'JWT key');
      },
    });
  const wit =
    witKeyType &&
    new AuthoritySlots<SigningKey, 'witKeys'>({
      kind: countedKind(
        createWitKeyKind({ ...shared, publish: publishWitKey, keyType: witKeyType }),
        metrics,
      ),
      journal,
      clock,
      log,
      activated: () => {
        countActivation(metrics, 'WIT key');
      },
    });
  for (const slots of [x509, jwt, wit]) await slots?.load();
  return { x509, jwt, wit };
}
