import type { Clock } from '../../base/clock.ts';
import { goTimeText } from '../../base/go-time.ts';
import type { Log } from '../log.ts';
import type { MetricKind, Sink } from './sink.ts';
import { statsdName } from './statsd.ts';

const INTERVAL_MILLISECONDS = 1000;
/** Intervals are kept for an hour. */
const KEPT_MILLISECONDS = 3_600_000;
/** And no more aggregates than this, 20 MB: of a busy program the older intervals go earlier. */
const MAX_AGGREGATES = 100_000;

type Aggregate = {
  readonly name: string;
  readonly kind: MetricKind;
  count: number;
  sum: number;
  squares: number;
  min: number;
  max: number;
  last: number;
  updatedAt: number;
};

type Interval = { readonly start: number; readonly aggregates: Aggregate[] };

export interface InMemorySink extends Sink {
  /** Writes what is kept to the log, one line a metric and interval; not the interval that still runs. */
  dump(): void;
}

export type InMemoryOptions = { readonly clock: Pick<Clock, 'now'>; readonly log: Log };

/** Keeps what was counted for whoever sends a signal (`reference/server.md` §12). */
export function createInMemorySink({ clock, log }: InMemoryOptions): InMemorySink {
  const intervals: Interval[] = [];
  let kept = 0;

  const intervalAt = (now: number): Interval => {
    const start = Math.floor(now / INTERVAL_MILLISECONDS) * INTERVAL_MILLISECONDS;
    const last = intervals.at(-1);
    // Where the clock was set back what comes is added to the last interval.
    if (last !== undefined && last.start >= start) return last;
    const interval: Interval = { start, aggregates: [] };
    intervals.push(interval);
    return interval;
  };
  const forgetOld = (now: number): void => {
    for (let first = intervals[0]; intervals.length > 1 && first; first = intervals[0]) {
      if (first.start > now - KEPT_MILLISECONDS && kept <= MAX_AGGREGATES) return;
      kept -= first.aggregates.length;
      intervals.shift();
    }
  };
  return {
    open({ kind, key, labels }) {
      const name = statsdName([...key, ...labels.map(([, value]) => value)]);
      let interval: Interval | undefined;
      let aggregate: Aggregate | undefined;
      return (value) => {
        const now = clock.now();
        const current = intervalAt(now);
        if (aggregate === undefined || current !== interval) {
          interval = current;
          aggregate = newAggregate(name, kind);
          current.aggregates.push(aggregate);
          kept++;
          forgetOld(now);
        }
        add(aggregate, value, now);
      };
    },
    dump() {
      const current = intervalAt(clock.now());
      for (const interval of intervals) {
        if (interval === current) continue;
        for (const line of linesOf(interval)) log.info(line);
      }
    },
  };
}

const newAggregate = (name: string, kind: MetricKind): Aggregate => ({
  name,
  kind,
  count: 0,
  sum: 0,
  squares: 0,
  min: Infinity,
  max: -Infinity,
  last: 0,
  updatedAt: 0,
});

function add(to: Aggregate, value: number, now: number): void {
  to.count++;
  to.sum += value;
  to.squares += value * value;
  to.min = Math.min(to.min, value);
  to.max = Math.max(to.max, value);
  to.last = value;
  to.updatedAt = now;
}

const letters: Record<MetricKind, string> = { gauge: 'G', counter: 'C', sample: 'S' };
const KINDS: readonly MetricKind[] = ['gauge', 'counter', 'sample'];

function* linesOf({ start, aggregates }: Interval): Generator<string> {
  const time = goTimeText(new Date(start));
  for (const kind of KINDS) {
    for (const aggregate of aggregates) {
      if (aggregate.kind !== kind) continue;
      yield `[${time}][${letters[kind]}] '${aggregate.name}': ${
        kind === 'gauge' ? places(aggregate.last) : summary(aggregate)
      }`;
    }
  }
}

function summary({ count, sum, squares, min, max, updatedAt }: Aggregate): string {
  const updated = `LastUpdated: ${goTimeText(new Date(updatedAt))}`;
  const deviation =
    count < 2 ? 0 : Math.sqrt(Math.max(0, squares - (sum * sum) / count) / (count - 1));
  if (deviation === 0) return `Count: ${count} Sum: ${places(sum)} ${updated}`;
  const range = `Min: ${places(min)} Mean: ${places(sum / count)} Max: ${places(max)}`;
  return `Count: ${count} ${range} Stddev: ${places(deviation)} Sum: ${places(sum)} ${updated}`;
}

const places = (value: number): string => value.toFixed(3);
