import { unixSeconds } from '../base/clock.ts';
import { CurrentSvid } from './attest/current-svid.ts';
import { Rebootstrap } from './attest/rebootstrap.ts';
import { AgentSvidRotator } from './attest/rotate-agent-svid.ts';
import { attest, startAttestation } from './attest/start-attestation.ts';
import type { AgentCoreOptions } from './core-options.ts';
import type { Identities } from './identities.ts';
import { openKept } from './kept/open-kept.ts';
import { Manager } from './manager.ts';
import { connectionOf, verifier } from './server/reach-server.ts';
import type { AgentStatus } from './status.ts';
import { statusOf } from './status-of.ts';
import { assembleSync, type SyncParts } from './sync/assemble-sync.ts';

export type { AgentCoreOptions } from './core-options.ts';

/** An agent that has attested and synchronised, without its sockets. */
export interface AgentCore extends Disposable {
  readonly identities: Identities;
  /** The agent's own SVID. */
  readonly current: Pick<CurrentSvid, 'value' | 'onChange'>;
  readonly status: AgentStatus;
  /** Keeps everything fresh until the signal aborts. Rejects when the agent must end. */
  run(signal: AbortSignal): Promise<void>;
}

/** Attests, or finds that it need not, and synchronises once. */
export async function startCore(
  options: AgentCoreOptions,
  signal: AbortSignal,
): Promise<AgentCore> {
  const { clock, random, metrics, log, storage, keyManager } = options;
  const kept = await openKept(options);
  const rebootstrap = new Rebootstrap({
    ...options.rebootstrap,
    storage,
    forgetKept: () => kept?.forget() ?? Promise.resolve(),
    clock,
    log: log.child({ subsystem_name: 'attestor' }),
  });
  const attested = await startAttestation(options, rebootstrap, signal);
  const current = new CurrentSvid(attested.svid);
  const managerLog = log.child({ subsystem_name: 'manager' });
  using opened = new DisposableStack();
  const stopped = opened.adopt(new AbortController(), (controller) => {
    controller.abort(new Error('the agent has stopped'));
  });
  const parts = assembleSync({
    options,
    current,
    rebootstrap,
    bundle: attested.bundle,
    connect: (bundle) => opened.use(connectionOf(options, current, bundle)),
    stopped: stopped.signal,
  });
  const { cache, connection } = parts;
  const rotator = new AgentSvidRotator({
    current,
    connection,
    keyManager,
    attest: (key, call) =>
      attest(
        options,
        { key, bundle: cache.bundle },
        verifier(options, () => cache.bundle),
        call,
      ),
    store: ({ chain, reattestable }) => storage.update({ svid: chain, reattestable }),
    async mendStorage() {
      const wasGone = await storage.mend();
      if (wasGone) kept?.renew();
      return wasGone;
    },
    hasValidSvids: () => cache.hasValidSvids(unixSeconds(clock)),
    availabilityTargetSeconds: options.availabilityTargetSeconds,
    metrics,
    clock,
    random,
    log: managerLog,
  });
  const manager = new Manager({
    ...parts,
    current,
    rotator,
    rebootstrap,
    kept,
    storage,
    version: options.version,
    clock,
    random,
    log: managerLog,
  });
  await manager.initialize(signal);
  const running = opened.move();
  return {
    identities: identitiesOf(parts),
    current,
    status: statusOf({ ...parts, current }),
    run: (until) => manager.run(until),
    [Symbol.dispose]: () => {
      running.dispose();
    },
  };
}

const identitiesOf = ({ cache, misses, jwtSvids, witSvids }: SyncParts): Identities => ({
  subscribe: (selectors) => cache.subscribe(selectors),
  latest: (selectors) => cache.latest(selectors),
  matchingEntries: (selectors) => cache.matchingEntries(selectors),
  awaitEntry: (selectors, call) => misses.awaitEntry(selectors, call),
  subscribeBundles: () => cache.subscribeBundles(),
  bundles: () => cache.bundles,
  fetchJwtSvid: (entry, audience, call) => jwtSvids.fetch(entry, audience, call),
  fetchWitSvid: (entry, call) => witSvids.fetch(entry, call),
});
