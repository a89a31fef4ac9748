/** Labels in the order in which sinks show them. Names and values are cleaned by the sinks' front, not here. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * Where the program tells what it counts (`reference/server.md` §12, `agent.md` §7). Keys are parts without the
 * prefix (`['ca', 'manager', 'bundle', 'prune']`). Calls never throw and never wait.
 */
export interface Metrics {
  /** Adds to a counter. */
  counter(key: readonly string[], value: number, labels?: MetricLabels): void;
  /** The value from now on. */
  gauge(key: readonly string[], value: number, labels?: MetricLabels): void;
  /** One reading of a distribution; times are in milliseconds. */
  sample(key: readonly string[], value: number, labels?: MetricLabels): void;
}

/** For programs without a sink: nothing is collected. */
export const noMetrics: Metrics = { counter: () => {}, gauge: () => {}, sample: () => {} };
