import type { MetricLabels, Metrics } from '../metrics.ts';
import type { TelemetrySettings } from '../telemetry-settings.ts';
import { labelFilter, prefixFilter } from './filters.ts';
import type { MetricKind, Recorder, Sink } from './sink.ts';

/**
 * So many series are kept; the values of further ones are dropped. Labels are statuses, plugins, methods and trust
 * domains, so that nobody comes near; it bounds what an external plugin's metrics can make us hold.
 */
export const MAX_SERIES = 10_000;

export type FrontOptions = {
  readonly settings: Pick<
    TelemetrySettings,
    'allowedPrefixes' | 'blockedPrefixes' | 'allowedLabels' | 'blockedLabels'
  >;
  readonly prefix: string;
  /** The value of the label `trust_domain`; undefined: there is none. */
  readonly trustDomain: string | undefined;
  /** The value of the label `host`; undefined: there is none. */
  readonly host: string | undefined;
  readonly sinks: readonly Sink[];
  /** Told once, when the first series is dropped. */
  readonly onTooMany: () => void;
};

/**
 * Names and labels as SPIRE makes them (`reference/server.md` §12), and the values to the sinks. A series' names are
 * made once; after that a value costs one look into a map, and what the sinks take.
 */
export function createMetrics({ sinks, onTooMany, ...options }: FrontOptions): Metrics {
  const series = new Map<string, readonly Recorder[]>();
  const describe = describer(options);
  let toldTooMany = false;

  const open = (kind: MetricKind, key: readonly string[], labels: MetricLabels | undefined) => {
    const described = describe(kind, key, labels);
    return described === undefined ? [] : sinks.map((sink) => sink.open(described));
  };
  const record =
    (kind: MetricKind) =>
    (key: readonly string[], value: number, labels?: MetricLabels): void => {
      const id = idOf(kind, key, labels);
      let recorders = series.get(id);
      if (recorders === undefined) {
        if (series.size >= MAX_SERIES) {
          if (!toldTooMany) onTooMany();
          toldTooMany = true;
          return;
        }
        recorders = open(kind, key, labels);
        series.set(id, recorders);
      }
      for (const recorder of recorders) recorder(value);
    };
  return { counter: record('counter'), gauge: record('gauge'), sample: record('sample') };
}

function idOf(kind: MetricKind, key: readonly string[], labels: MetricLabels | undefined): string {
  let id: string = kind;
  for (const part of key) id += `.${part}`;
  for (const name in labels) id += `\0${name}\0${labels[name]}`;
  return id;
}

function describer({
  settings,
  prefix,
  trustDomain,
  host,
}: Omit<FrontOptions, 'sinks' | 'onTooMany'>) {
  const isAllowed = prefixFilter(settings);
  const isShown = labelFilter(settings);
  return (kind: MetricKind, parts: readonly string[], labels: MetricLabels = {}) => {
    const key = [prefix, ...parts];
    if (!isAllowed(key.join('.'))) return undefined;
    const cleaned = Object.entries(labels).map(
      ([name, value]) => [cleanLabel(name), cleanLabel(value)] as const,
    );
    if (trustDomain !== undefined) cleaned.push(['trust_domain', cleanLabel(trustDomain)]);
    if (host !== undefined) cleaned.push(['host', host]);
    return { kind, key, labels: cleaned.filter(([name]) => isShown(name)) };
  };
}

/** What no label may have becomes one `_`, together with one that follows it. */
const cleanLabel = (text: string): string => text.replace(/[^A-Za-z0-9_]+_?/g, '_');
