import type { Clock } from '../../src/base/clock.ts';
import { alwaysSteady } from '../../src/ops/clock-watch.ts';
import { type Log, silentLog } from '../../src/ops/log.ts';
import { type Metrics, noMetrics } from '../../src/ops/metrics.ts';
import type { KeyManager } from '../../src/plugins/key-manager/contract.ts';
import { createMemoryKeyManager } from '../../src/plugins/key-manager/memory/memory-key-manager.ts';
import {
  type Authorities,
  type AuthoritiesConfig,
  type AuthoritiesDeps,
  startAuthorities,
} from '../../src/server/ca/start-authorities.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { MemoryBundles, MemoryCaJournals } from './ca-stores.ts';
import { VirtualClock } from './clock.ts';

export const HOUR = 60 * 60;
export const DAY = 24 * HOUR;

/** A server's defaults. */
export const authoritiesConfig: AuthoritiesConfig = {
  trustDomain: TrustDomain.parse('example.org'),
  caSubject: { C: ['US'], O: ['SPIFFE'] },
  caKeyType: 'ec-p256',
  jwtKeyType: 'ec-p256',
  witKeyType: undefined,
  caTtlSeconds: DAY,
  x509SvidTtlSeconds: HOUR,
  agentTtlSeconds: HOUR,
  jwtSvidTtlSeconds: 300,
  jwtIssuer: undefined,
  witIssuer: undefined,
};

export type CaWorldParts = {
  readonly log?: Log;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
  readonly upstream?: AuthoritiesDeps['upstream'];
};

/** What a server's authorities leave when its process ends, and what starts them again on it. */
export class CaWorld {
  readonly journals = new MemoryCaJournals();
  readonly bundles = new MemoryBundles();
  clock = new VirtualClock();
  keyManager: KeyManager = createMemoryKeyManager();

  start(config: Partial<AuthoritiesConfig> = {}, with_: CaWorldParts = {}) {
    return startAuthorities({
      clockWatch: alwaysSteady,
      keyManager: this.keyManager,
      datastore: { caJournals: this.journals },
      registry: { bundles: this.bundles },
      upstream: with_.upstream,
      config: { ...authoritiesConfig, ...config },
      metrics: with_.metrics ?? noMetrics,
      clock: with_.clock ?? this.clock,
      log: with_.log ?? silentLog,
    });
  }

  bundle(trustDomain = authoritiesConfig.trustDomain) {
    const bundle = this.bundles.get(trustDomain);
    if (bundle === undefined) throw new Error('there is no bundle');
    return bundle;
  }
}

/** Sleeps an hour where a program would sleep less; a year has three million rounds of ten seconds. */
export const hourly = (clock: Clock): Clock => ({
  now: () => clock.now(),
  sleep: (milliseconds, signal) => clock.sleep(Math.max(milliseconds, HOUR * 1000), signal),
});

/** Loops of the authorities that sleep between their runs; when all do, they have come to rest. */
const LOOPS = 3;

/** Moves the clock, then waits for what that set going, signatures on other threads included. */
export async function advance(clock: VirtualClock, seconds: number, loops = LOOPS): Promise<void> {
  await clock.advance({ seconds });
  while (clock.sleepers < loops) await new Promise((resolve) => setImmediate(resolve));
}

/** Names of what signs and what waits: `A:active`, `B:prepared`, `B:` */
export const slotsText = ({ manager }: Pick<Authorities, 'manager'>): string =>
  [manager.x509.current, manager.x509.next]
    .map(({ id, held }) => `${id}:${held?.status ?? ''}`)
    .join(' ');
