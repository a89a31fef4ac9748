import type { Settings } from '../../base/settings.ts';

/** The `OpenTelemetry` block as it stands in the file; undefined: not said. */
export type OtlpBlock = {
  readonly endpoint: string | undefined;
  /** `name=value`. */
  readonly headers: readonly string[];
  readonly caFile: string | undefined;
  readonly serviceName: string | undefined;
  readonly traces: boolean | undefined;
  readonly metrics: boolean | undefined;
  readonly logs: boolean | undefined;
  readonly sampleRatio: string | undefined;
  readonly protocol: string | undefined;
};

export const readOtlpBlock = (section: Settings): OtlpBlock => ({
  endpoint: section.optionalString('endpoint'),
  headers: section.strings('headers'),
  caFile: section.optionalString('ca_file'),
  serviceName: section.optionalString('service_name'),
  traces: section.optionalBool('traces'),
  metrics: section.optionalBool('metrics'),
  logs: section.optionalBool('logs'),
  sampleRatio: section.optionalString('sample_ratio'),
  protocol: section.optionalString('protocol'),
});
