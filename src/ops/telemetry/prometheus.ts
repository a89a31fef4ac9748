import type { Clock } from '../../base/clock.ts';
import { goFloat } from './go-float.ts';
import { RecentReadings } from './recent-readings.ts';
import type { MetricKind, Recorder, Series, Sink } from './sink.ts';

export type PrometheusOptions = {
  readonly clock: Pick<Clock, 'now'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
};

export interface PrometheusSink extends Sink {
  /** What a scrape gets: the text format, version 0.0.4. */
  exposition(): string;
}

/** The value of one series, and its lines given its name and its labels' text. */
type Cell = { readonly record: Recorder; lines(name: string, labels: readonly string[]): string };

type Family = {
  readonly name: string;
  readonly kind: MetricKind;
  readonly cells: Map<string, { readonly labels: readonly string[]; readonly cell: Cell }>;
};

const types: Record<MetricKind, string> = {
  counter: 'counter',
  gauge: 'gauge',
  sample: 'summary',
};
const QUANTILES = [0.5, 0.9, 0.99];

/**
 * SPIRE's series as its Prometheus client shows them (`reference/server.md` §12): names joined by `_`, without
 * `_total`, samples as summaries of the last ten seconds; everything sorted, and nothing ever forgotten.
 */
export function createPrometheusSink(options: PrometheusOptions): PrometheusSink {
  const families = new Map<string, Family>();
  const newCell: Record<MetricKind, () => Cell> = {
    counter: createCounter,
    gauge: createGauge,
    sample: () => createSummary(options),
  };
  return {
    open({ kind, key, labels }) {
      const name = nameOf(key);
      let family = families.get(name);
      if (family === undefined) {
        family = { name, kind, cells: new Map() };
        families.set(name, family);
      }
      // One name is one kind: what an external plugin calls like something else is not shown.
      if (family.kind !== kind) return () => {};
      const pairs = labelPairs(labels);
      const id = pairs.join(',');
      let entry = family.cells.get(id);
      if (entry === undefined) {
        entry = { labels: pairs, cell: newCell[kind]() };
        family.cells.set(id, entry);
      }
      return entry.cell.record;
    },
    exposition: () =>
      [...families.values()]
        .toSorted((a, b) => compare(a.name, b.name))
        .map(familyText)
        .join(''),
  };
}

function familyText({ name, kind, cells }: Family): string {
  const lines = [...cells]
    .toSorted(([a], [b]) => compare(a, b))
    .map(([, { labels, cell }]) => cell.lines(name, labels));
  return `# HELP ${name} ${name}\n# TYPE ${name} ${types[kind]}\n${lines.join('')}`;
}

function createCounter(): Cell {
  let sum = 0;
  return {
    record: (value) => {
      sum += value;
    },
    lines: (name, labels) => line(name, labels, sum),
  };
}

function createGauge(): Cell {
  let current = 0;
  return {
    record: (value) => {
      current = value;
    },
    lines: (name, labels) => line(name, labels, current),
  };
}

function createSummary({ clock, random }: PrometheusOptions): Cell {
  const recent = new RecentReadings(random);
  let sum = 0;
  let count = 0;
  return {
    record: (value) => {
      sum += value;
      count++;
      recent.add(value, clock.now());
    },
    lines(name, labels) {
      const values = recent.quantiles(QUANTILES, clock.now());
      const quantiles = QUANTILES.map((share, index) =>
        line(name, [...labels, `quantile="${share}"`], values[index] ?? Number.NaN),
      );
      return `${quantiles.join('')}${line(`${name}_sum`, labels, sum)}${line(`${name}_count`, labels, count)}`;
    },
  };
}

const line = (name: string, labels: readonly string[], value: number): string =>
  `${name}${labels.length > 0 ? `{${labels.join(',')}}` : ''} ${goFloat(value)}\n`;

/** Names come from us, the configured prefix and external plugins: nothing but a name may come out. */
const nameOf = (key: readonly string[]): string => asName(key.join('_'));

const asName = (text: string): string =>
  text.replace(/[^A-Za-z0-9_:]/g, '_').replace(/^(?=[0-9])/, '_');

/** Sorted by name; of two with one name the last counts. */
function labelPairs(labels: Series['labels']): readonly string[] {
  const byName = new Map(labels.map(([name, value]) => [asName(name), value]));
  return [...byName]
    .toSorted(([a], [b]) => compare(a, b))
    .map(([name, value]) => `${name}="${escaped(value)}"`);
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
