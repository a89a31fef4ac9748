export type MetricKind = 'counter' | 'gauge' | 'sample';

/** One name with one set of labels. */
export type Series = {
  readonly kind: MetricKind;
  /** The prefix first. */
  readonly key: readonly string[];
  /** Cleaned, in the order in which they are shown. */
  readonly labels: readonly (readonly [name: string, value: string])[];
};

/** Takes one value of its series. Never throws, never waits. */
export type Recorder = (value: number) => void;

/** Where metrics go. */
export interface Sink {
  /** Called once for each series; what it returns gets every value of it. */
  open(series: Series): Recorder;
}
