import { type Clock, unixSeconds } from '../../base/clock.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Metrics } from '../../ops/metrics.ts';
import { timedCall } from '../../ops/metrics-call.ts';
import { isSignedByAny } from '../../spiffe/signed-by-any.ts';
import type { X509Cache } from '../cache/x509-cache.ts';

export type DropTaintedDeps = {
  readonly cache: Pick<X509Cache, 'identities' | 'dropSvids'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
};

/** SVIDs are looked at in batches, so that not all are minted anew at one moment (`reference/agent.md` §3.5). */
const BATCH = 100;
const BATCH_PAUSE_MILLISECONDS = 5000;

/**
 * Forgets the SVIDs that these authorities signed. Resolves when the first batch is done; `rest` when all are, or the
 * signal aborts.
 */
export async function dropTaintedSvids(
  deps: DropTaintedDeps,
  authorities: readonly Certificate[],
  signal: AbortSignal,
): Promise<{ readonly rest: Promise<void> }> {
  const identities = [...deps.cache.identities()];
  if (identities.length === 0) {
    deps.log.debug('No SVID entries to process for tainted X.509 authorities');
    return { rest: Promise.resolve() };
  }
  deps.log.debug('Scheduled rotation for SVID entries due to tainted X.509 authorities', {
    count: identities.length,
  });
  const batches = identities.splice(0, BATCH);
  await dropBatch(deps, authorities, batches);
  return { rest: dropRest(deps, authorities, identities, signal) };
}

async function dropRest(
  deps: DropTaintedDeps,
  authorities: readonly Certificate[],
  identities: Batch,
  signal: AbortSignal,
): Promise<void> {
  while (identities.length > 0) {
    deps.log.info('There are tainted X.509 SVIDs left to be processed', {
      count: identities.length,
    });
    try {
      await deps.clock.sleep(BATCH_PAUSE_MILLISECONDS, signal);
    } catch {
      return; // the signal
    }
    await dropBatch(deps, authorities, identities.splice(0, BATCH));
  }
  deps.log.info('Finished processing all tainted entries');
}

type Batch = ReturnType<X509Cache['identities']> extends Generator<infer T> ? T[] : never;

const TAINTED = ['cache_manager', 'tainted_x509_svids', 'workload'];
const PROCESS = ['cache_manager', 'workload', 'process_tainted_x509_svids'];

const dropBatch = (
  deps: DropTaintedDeps,
  authorities: readonly Certificate[],
  batch: Batch,
): Promise<void> => timedCall(deps.metrics, PROCESS, () => dropTainted(deps, authorities, batch));

async function dropTainted(
  { cache, metrics, clock, log }: DropTaintedDeps,
  authorities: readonly Certificate[],
  batch: Batch,
): Promise<void> {
  const tainted: Batch = [];
  for (const identity of batch) {
    if (await isSignedByAny(authorities, identity.svid.chain, unixSeconds(clock))) {
      tainted.push(identity);
    }
  }
  cache.dropSvids(tainted);
  metrics.sample(TAINTED, tainted.length);
  log.info('Tainted X.509 SVIDs', { tainted_x509_svids: tainted.length });
}
