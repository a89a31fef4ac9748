import type { ClientTls } from '../../rpc/dial.ts';
import type { AgentCoreOptions } from '../core-options.ts';
import { addressOf, dialer } from '../server/reach-server.ts';
import { type AttestAtStartDeps, type Attested, attestAtStart } from './attest-at-start.ts';
import { attestNode, type NodeToAttest } from './attest-node.ts';
import { countBootstrapAttempt } from './bootstrap-attempt.ts';
import { fetchTrustBundle } from './bundle-source.ts';
import type { Rebootstrap } from './rebootstrap.ts';

/** Attests, or finds that it need not. Throws also where the agent is to be able to start anew and is not. */
export async function startAttestation(
  options: AgentCoreOptions,
  rebootstrap: Rebootstrap,
  signal: AbortSignal,
): Promise<Attested> {
  const { storage, keysAreLost, log } = options;
  if (storage.data.svid.length > 0) rebootstrap.check(storage.data.reattestable);
  const attested = await attestAtStart(attestationDeps(options, rebootstrap), signal);
  rebootstrap.check(attested.svid.reattestable);
  if (!attested.svid.reattestable && keysAreLost) log.warn(CANNOT_COME_BACK);
  return attested;
}

const CANNOT_COME_BACK =
  "Node attestation is not reattestable and the 'memory' key manager is in use; if the agent process is restarted, it will be unable to obtain a new SVID and will need to be manually evicted to be able to re-attest.";

function attestationDeps(options: AgentCoreOptions, rebootstrap: Rebootstrap): AttestAtStartDeps {
  const { trustDomain, bundleSource, storage, keyManager, clock, random } = options;
  const log = options.log.child({ subsystem_name: 'attestor' });
  const sourcesLog = options.log.child({ Logger: 'TrustBundleSources' });
  return {
    trustDomain,
    bundleSource,
    async fetchTrustBundle(signal) {
      if (bundleSource.kind === 'insecure') throw new TypeError('nothing to fetch');
      const state = await countBootstrapAttempt(storage, clock);
      return fetchTrustBundle({ ...options, log: sourcesLog }, bundleSource, state, signal);
    },
    keyManager,
    storage,
    attest: (node, verify, signal) => attest(options, node, verify, signal),
    rebootstrap,
    remedy: (failure) => options.nodeAttestor.remedy?.(failure),
    clock,
    random,
    log,
    sourcesLog,
  };
}

/** Attests this node anew; nothing is kept. */
export const attest = (
  options: AgentCoreOptions,
  node: NodeToAttest,
  verify: ClientTls['verify'],
  signal: AbortSignal,
) =>
  attestNode(
    {
      attestor: options.nodeAttestor,
      address: addressOf(options),
      requirePostQuantum: options.requirePostQuantum,
      dial: dialer(options),
      metrics: options.metrics,
      log: options.log.child({ subsystem_name: 'attestor' }),
    },
    node,
    verify,
    signal,
  );
