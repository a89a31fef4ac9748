import type { MetricKind, Recorder, Series, Sink } from '../telemetry/sink.ts';
import { attributesOf, nanoseconds, type Origin } from './json.ts';

/** OpenTelemetry's default bounds; times are in milliseconds. */
const BOUNDS = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000];
/** Since the start of the program. */
const CUMULATIVE = 2;

type Point = Readonly<Record<string, unknown>>;
type Cell = { readonly record: Recorder; point(): Point };
type Family = {
  readonly kind: MetricKind;
  readonly cells: { labels: Series['labels']; cell: Cell }[];
};

export interface OtlpMetricsSink extends Sink {
  /** All metrics as they are now. */
  request(origin: Origin, atMilliseconds: number): unknown;
}

/** Counters as sums, gauges as they are, samples as histograms; under their names joined by dots. */
export function createOtlpMetricsSink(startedAtMilliseconds: number): OtlpMetricsSink {
  const families = new Map<string, Family>();
  return {
    open({ kind, key, labels }) {
      const name = key.join('.');
      let family = families.get(name);
      if (family === undefined) {
        family = { kind, cells: [] };
        families.set(name, family);
      }
      if (family.kind !== kind) return () => {}; // one name is one kind
      const cell = newCell[kind]();
      family.cells.push({ labels, cell });
      return cell.record;
    },
    request({ resource, scope }, at) {
      const times = {
        startTimeUnixNano: nanoseconds(startedAtMilliseconds),
        timeUnixNano: nanoseconds(at),
      };
      const metrics = [...families].map(([name, family]) => metricToJson(name, family, times));
      return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] };
    },
  };
}

function metricToJson(name: string, { kind, cells }: Family, times: Point): Point {
  const dataPoints = cells.map(({ labels, cell }) => ({
    attributes: attributesOf(Object.fromEntries(labels)),
    ...times,
    ...cell.point(),
  }));
  const aggregationTemporality = CUMULATIVE;
  const unit = name.endsWith('elapsed_time') ? { unit: 'ms' } : {};
  switch (kind) {
    case 'counter':
      return { name, sum: { aggregationTemporality, isMonotonic: true, dataPoints } };
    case 'gauge':
      return { name, gauge: { dataPoints } };
    case 'sample':
      return { name, ...unit, histogram: { aggregationTemporality, dataPoints } };
    default:
      return kind satisfies never;
  }
}

const newCell: Record<MetricKind, () => Cell> = {
  counter() {
    let sum = 0;
    return {
      record: (value) => {
        sum += value;
      },
      point: () => ({ asDouble: sum }),
    };
  },
  gauge() {
    let current = 0;
    return {
      record: (value) => {
        current = value;
      },
      point: () => ({ asDouble: current }),
    };
  },
  sample: createHistogram,
};

function createHistogram(): Cell {
  const counts = new Float64Array(BOUNDS.length + 1);
  let count = 0;
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  return {
    record(value) {
      let bucket = 0;
      while (bucket < BOUNDS.length && value > (BOUNDS[bucket] ?? 0)) bucket++;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      count++;
      sum += value;
      min = Math.min(min, value);
      max = Math.max(max, value);
    },
    point: () => ({
      count: String(count),
      sum,
      ...(count > 0 && { min, max }),
      explicitBounds: BOUNDS,
      bucketCounts: [...counts].map(String),
    }),
  };
}
