import type { Clock } from '../../base/clock.ts';
import { reasonOf } from '../../base/fault.ts';
import { repeat } from '../../base/repeat.ts';
import type { Log } from '../log.ts';
import type { PrometheusSettings } from '../telemetry-settings.ts';
import { processExposition } from './process-metrics.ts';
import { createPrometheusSink, type PrometheusSink } from './prometheus.ts';
import { readScrapeTls, readTlsPair, type TlsPair } from './scrape-tls.ts';
import { type Scrapes, serveScrapes, type VerifyChain } from './serve-scrapes.ts';

/** How soon a renewed certificate file is noticed. */
const RELOAD_MILLISECONDS = 10_000;

export type PrometheusEndpointOptions = {
  readonly settings: PrometheusSettings;
  /** Gives a SPIFFE ID's plain form; throws if it is none. */
  readonly normalizeId: (text: string) => string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
};

/** The program's own SVID as TLS presents it, and what verifies those of others. */
export type OwnSvid = TlsPair & { readonly verify: VerifyChain };

export interface PrometheusEndpoint extends AsyncDisposable {
  readonly sink: PrometheusSink;
  useSvid(svid: OwnSvid): void;
}

/**
 * Collects for, and answers, scrapes (`reference/server.md` §4.1). Throws 'invalid' if its TLS is wrong; that it
 * cannot listen is told, and no reason not to go on.
 */
export async function startPrometheusEndpoint(
  options: PrometheusEndpointOptions,
): Promise<PrometheusEndpoint> {
  const { settings, log } = options;
  const { host, port } = settings;
  const tls = settings.tls && (await readScrapeTls(settings.tls, options.normalizeId));
  const sink = createPrometheusSink(options);
  if (host !== 'localhost') log.warn(REMOTE);
  await using opened = new AsyncDisposableStack();
  let scrapes: Scrapes | undefined;
  try {
    const exposition = async () => (await processExposition()) + sink.exposition();
    scrapes = opened.use(await serveScrapes({ host, port, exposition, tls, log }));
    log.info('Starting prometheus exporter', { host, port: scrapes.address.port });
  } catch (error) {
    log.warn(`Prometheus listener stopped unexpectedly: ${reasonOf(error)}`);
  }
  if (tls?.files && scrapes) opened.use(await presentFiles(tls.files, scrapes, options));
  const running = opened.move();
  return {
    sink,
    useSvid({ verify, ...pair }) {
      scrapes?.verifyWith(verify);
      if (tls?.files === undefined) scrapes?.present(pair);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const REMOTE =
  'Agent is now configured to accept remote network connections for Prometheus stats collection. Please ensure access to this port is tightly controlled';

/** Presents what is in the files, and what comes into them later. Throws if it is no pair now. */
async function presentFiles(
  files: TlsPair,
  scrapes: Scrapes,
  { clock, log }: PrometheusEndpointOptions,
): Promise<AsyncDisposable> {
  const stop = new AbortController();
  let presented = await readTlsPair(files);
  scrapes.present(presented);
  const reload = async () => {
    try {
      const found = await readTlsPair(files);
      if (found.cert === presented.cert && found.key === presented.key) return;
      scrapes.present(found);
      presented = found;
      log.info('Prometheus certificate reloaded', { cert_file: files.cert });
    } catch (error) {
      // The two files are not written at once; the pair that is presented stays.
      log.warn('Could not reload the Prometheus certificate', { error: reasonOf(error) });
    }
  };
  const milliseconds = RELOAD_MILLISECONDS;
  const loop = repeat({ clock, signal: stop.signal, milliseconds }, reload);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}
