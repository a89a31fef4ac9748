import { type Backoff, createBackoff } from '../../base/backoff.ts';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, wrapFault } from '../../base/fault.ts';
import { rfc3339 } from '../../base/rfc3339.ts';
import type { Log } from '../../ops/log.ts';
import type { KeyManager, ManagedKey } from '../../plugins/key-manager/contract.ts';
import type { AgentNodeAttestor } from '../../plugins/node-attestor/contract.ts';
import type { ClientTls } from '../../rpc/dial.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { durationText } from '../duration-text.ts';
import { SEAL_KEY_ID } from '../kept/kept-place.ts';
import { isDenied, isUnknownAuthority } from '../server/rpc-failure.ts';
import { checkClaimedServer, verifyServer } from '../server/server-identity.ts';
import type { AgentDataFile } from '../storage/agent-data-file.ts';
import { newAgentKey } from './agent-key.ts';
import { type AgentSvid, agentIdText, agentSvid } from './agent-svid.ts';
import type { attestNode, NodeToAttest } from './attest-node.ts';
import { bootstrapAdvice } from './bootstrap-advice.ts';
import type { BundleSource } from './bundle-source.ts';
import { type Rebootstrap, STRANGER_REMEDY } from './rebootstrap.ts';
import { bundleOfCertificates } from './trust-bundle.ts';

export type AttestAtStartDeps = {
  readonly trustDomain: TrustDomain;
  readonly bundleSource: BundleSource;
  /** Fetches from a source that is not the insecure one. */
  readonly fetchTrustBundle: (signal: AbortSignal) => Promise<Bundle>;
  readonly keyManager: KeyManager;
  readonly storage: AgentDataFile;
  /** `attestNode` with its collaborators. */
  readonly attest: (
    node: NodeToAttest,
    verify: ClientTls['verify'],
    signal: AbortSignal,
  ) => ReturnType<typeof attestNode>;
  readonly rebootstrap: Rebootstrap;
  /** The node attestor's. */
  readonly remedy: NonNullable<AgentNodeAttestor['remedy']>;
  readonly clock: Clock;
  readonly random: () => number;
  /** For what concerns where the trust bundle comes from. */
  readonly sourcesLog: Log;
  readonly log: Log;
};

export type Attested = { readonly svid: AgentSvid; readonly bundle: Bundle };

/** Of attestation and of the first synchronisation (`reference/agent.md` §2.11). */
export const startBackoff = (
  deps: Pick<AttestAtStartDeps, 'clock' | 'random'> & {
    readonly rebootstrap: Pick<Rebootstrap, 'isEnabled'>;
  },
): Backoff =>
  createBackoff({
    clock: deps.clock,
    random: deps.random,
    initialMs: 5000,
    maxMs: 120_000,
    multiplier: 1.5,
    jitter: 0.1,
    maxElapsedMs: deps.rebootstrap.isEnabled ? 24 * 3_600_000 : 60_000,
  });

/**
 * The agent's SVID and trust bundle: those of the last run if they are still good, otherwise by attesting, which is
 * tried again until the time is up (`reference/agent.md` §2.4, §2.5).
 */
export async function attestAtStart(
  deps: AttestAtStartDeps,
  signal: AbortSignal,
): Promise<Attested> {
  const backoff = startBackoff(deps);
  for (;;) {
    try {
      const attested = await attestOnce(deps, signal);
      await remember(deps, attested).catch((error: unknown) => {
        // Tokens are good for one attestation: what we have must not be lost. It is stored again right after.
        deps.log.warn('Could not store SVID', { error: error as Error });
      });
      return attested;
    } catch (error) {
      signal.throwIfAborted();
      const remedy = deps.remedy(error);
      if (remedy !== undefined) deps.log.error(remedy);
      const wait = isDenied(error) ? undefined : backoff.next();
      if (wait === undefined) throw error;
      if (deps.storage.data.bootstrap.use === 'bootstrap') {
        const advice = bootstrapAdvice(error, deps);
        if (advice !== undefined) deps.log.error(advice);
      }
      if (isUnknownAuthority(error)) await meetStranger(deps);
      deps.log.warn('Failed to retrieve attestation result', {
        error: error as Error,
        retry_interval: durationText(wait),
      });
      await deps.clock.sleep(wait, signal);
    }
  }
}

/** What becomes of the bundle that the server does not agree with (`reference/agent.md` §2.7). */
async function meetStranger({ storage, rebootstrap, log }: AttestAtStartDeps): Promise<void> {
  if (storage.data.bootstrap.use === 'bootstrap') {
    log.info("Trust Bundle and Server don't agree, bootstrapping again");
  } else if (!rebootstrap.isEnabled) log.error(STRANGER_REMEDY);
  else if (rebootstrap.isDue(log)) {
    log.warn("Trust Bundle and Server don't agree, rebootstrapping");
    await rebootstrap.forgetBundle();
  }
}

async function attestOnce(deps: AttestAtStartDeps, signal: AbortSignal): Promise<Attested> {
  const bundle = await loadBundle(deps, signal);
  const log =
    bundle === undefined
      ? deps.log
      : deps.log.child({ trust_domain_id: bundle.trustDomain.idString });
  log.info(bundle === undefined ? 'Bundle is not found' : 'Bundle loaded');
  const { svid, key } = await loadSvid(deps);
  if (svid !== undefined) {
    if (bundle === undefined) throw new Fault('invalid', 'SVID loaded but no bundle in cache');
    log.info('SVID loaded', { spiffe_id: agentIdText(svid) });
    return { svid, bundle };
  }
  log.info('SVID is not found. Starting node attestation');
  const attested = await deps.attest({ key, bundle }, serverVerifier(deps, bundle, log), signal);
  log.info('Node attestation was successful', {
    spiffe_id: agentIdText(attested.svid),
    reattestable: attested.svid.reattestable,
  });
  return attested;
}

/** The stored bundle, or the bootstrap bundle; undefined only if anybody is to be believed. */
async function loadBundle(
  { storage, trustDomain, bundleSource, fetchTrustBundle }: AttestAtStartDeps,
  signal: AbortSignal,
): Promise<Bundle | undefined> {
  const { bundle } = storage.data;
  if (bundle.length > 0) return bundleOfCertificates(trustDomain, bundle);
  return bundleSource.kind === 'insecure' ? undefined : fetchTrustBundle(signal);
}

function serverVerifier(
  { trustDomain, clock }: AttestAtStartDeps,
  bundle: Bundle | undefined,
  log: Log,
): ClientTls['verify'] {
  if (bundle !== undefined) return (chain) => verifyServer(chain, bundle, unixSeconds(clock));
  log.warn('Insecure bootstrap enabled; skipping server certificate verification');
  return (chain) => {
    checkClaimedServer(chain, trustDomain);
  };
}

/** An SVID that ends within this time is as good as expired. */
const EXPIRY_MARGIN_SECONDS = 1;

/** The SVID of the last run, or else a new key to attest with (`reference/agent.md` §2.4, first table). */
async function loadSvid(
  deps: AttestAtStartDeps,
): Promise<
  | { readonly svid: AgentSvid; readonly key: ManagedKey }
  | { readonly svid: undefined; readonly key: ManagedKey }
> {
  const { keyManager, storage, clock, log } = deps;
  const stored = storage.data.svid;
  const all = await keyManager.getKeys().catch((error: unknown) => {
    throw wrapFault('unable to load private key', error);
  });
  const keys = all.filter(({ id }) => id !== SEAL_KEY_ID);
  const svid = findKey(stored, keys, storage.data.reattestable);
  const isExpired =
    svid !== undefined && unixSeconds(clock) + EXPIRY_MARGIN_SECONDS >= svid.leaf.notAfter;
  if (svid !== undefined && !isExpired) return { svid, key: svid.key };

  if (svid !== undefined) {
    log.warn('SVID key recovered, but SVID is expired. Generating new keypair', {
      expiry: rfc3339(svid.leaf.notAfter * 1000),
    });
  } else if (stored.length > 0) {
    log.warn(
      keys.length === 0
        ? 'SVID recovered, but no keys found. Generating new keypair'
        : 'SVID recovered, but no SVID key found. Generating new keypair',
    );
  } else if (keys.length > 0) {
    log.warn('Keys recovered, but no SVID found. Generating new keypair');
  } else {
    log.debug('No pre-existing agent SVID found. Will perform node attestation');
  }
  const key = await newAgentKey(keyManager, svid?.key).catch((error: unknown) => {
    throw wrapFault('unable to generate private key', error);
  });
  return { svid: undefined, key };
}

/** The stored SVID with its key, if that is there. */
function findKey(
  chain: readonly Uint8Array[],
  keys: readonly ManagedKey[],
  reattestable: boolean,
): AgentSvid | undefined {
  for (const key of chain.length === 0 ? [] : keys) {
    const svid = agentSvid(chain, key, reattestable);
    if (Buffer.compare(svid.leaf.spki, key.publicKey.spki) === 0) return svid;
  }
  return undefined;
}

async function remember(
  { storage, clock, sourcesLog }: AttestAtStartDeps,
  { svid, bundle }: Attested,
): Promise<void> {
  const { startedAt, attempts } = storage.data.bootstrap;
  await storage.update({
    svid: svid.chain,
    bundle: bundle.x509Authorities.map(({ der }) => der),
    reattestable: svid.reattestable,
    bootstrap: { use: 'rebootstrap', startedAt: undefined, attempts: 0 },
  });
  const took = startedAt === undefined ? 0 : clock.now() - startedAt;
  sourcesLog.info(`Success after ${durationText(took)} attempts=${attempts}`);
  sourcesLog.info('Setting use.');
}
