import type { Settings } from '../base/settings.ts';
import type { KeyAudit } from '../base/unknown-keys.ts';
import { type OtlpBlock, readOtlpBlock } from './otlp/otlp-block.ts';

/** The `telemetry` section (`reference/server.md` §4.1); both programs know the same one. */
export type TelemetrySettings = {
  readonly prometheus: PrometheusSettings | undefined;
  readonly dogStatsd: readonly { readonly address: string }[];
  readonly statsd: readonly { readonly address: string }[];
  readonly m3: readonly { readonly address: string; readonly env: string }[];
  readonly inMem: boolean;
  /** Not SPIRE's: a block of ours. */
  readonly openTelemetry: OtlpBlock | undefined;
  /** '' means the program's own. */
  readonly metricPrefix: string;
  readonly trustDomainLabel: boolean;
  readonly hostnameLabel: boolean;
  readonly allowedPrefixes: readonly string[];
  readonly blockedPrefixes: readonly string[];
  readonly allowedLabels: readonly string[];
  readonly blockedLabels: readonly string[];
};

export type PrometheusSettings = {
  readonly host: string;
  readonly port: number;
  readonly tls:
    | {
        readonly certFile: string;
        readonly keyFile: string;
        readonly clientCaFile: string;
        readonly useSpireSvid: boolean;
        readonly authorizedSpiffeIds: readonly string[];
        /** From `experimental.require_pq_kem`. */
        readonly postQuantumOnly?: boolean;
      }
    | undefined;
};

export function readTelemetry(root: Settings, audit: KeyAudit): TelemetrySettings {
  const telemetry = root.section('telemetry');
  audit.tolerate('telemetry', telemetry);
  const sinks = (name: string): readonly Settings[] => {
    const sections = telemetry?.sections(name) ?? [];
    for (const section of sections) audit.refuse(name, section);
    return sections;
  };
  const inMem = telemetry?.section('InMem');
  audit.refuse('InMem', inMem);
  const openTelemetry = telemetry?.section('OpenTelemetry');
  audit.refuse('OpenTelemetry', openTelemetry);
  return {
    prometheus: readPrometheus(telemetry?.section('Prometheus'), audit),
    dogStatsd: sinks('DogStatsd').map((sink) => ({ address: sink.string('address') })),
    statsd: sinks('Statsd').map((sink) => ({ address: sink.string('address') })),
    m3: sinks('M3').map((sink) => ({ address: sink.string('address'), env: sink.string('env') })),
    inMem: inMem !== undefined,
    openTelemetry: openTelemetry && readOtlpBlock(openTelemetry),
    metricPrefix: telemetry?.string('MetricPrefix') ?? '',
    trustDomainLabel: telemetry?.bool('EnableTrustDomainLabel') ?? false,
    hostnameLabel: telemetry?.optionalBool('EnableHostnameLabel') ?? true,
    allowedPrefixes: telemetry?.strings('AllowedPrefixes') ?? [],
    blockedPrefixes: telemetry?.strings('BlockedPrefixes') ?? [],
    allowedLabels: telemetry?.strings('AllowedLabels') ?? [],
    blockedLabels: telemetry?.strings('BlockedLabels') ?? [],
  };
}

function readPrometheus(
  prometheus: Settings | undefined,
  audit: KeyAudit,
): PrometheusSettings | undefined {
  if (prometheus === undefined) return undefined;
  const tls = prometheus.section('tls');
  audit.refuse('Prometheus', prometheus);
  audit.tolerate('Prometheus.tls', tls);
  return {
    host: prometheus.string('host') || 'localhost',
    port: prometheus.int('port'),
    tls: tls && {
      certFile: tls.string('cert_file'),
      keyFile: tls.string('key_file'),
      clientCaFile: tls.string('client_ca_file'),
      useSpireSvid: tls.bool('use_spire_svid'),
      authorizedSpiffeIds: tls.strings('authorized_spiffe_ids'),
    },
  };
}

/** The same, where TLS must agree on keys that a quantum computer cannot find out (`reference/server.md` §2.1). */
export const withPostQuantumTls = (telemetry: TelemetrySettings): TelemetrySettings => {
  const { prometheus } = telemetry;
  return prometheus?.tls === undefined
    ? telemetry
    : {
        ...telemetry,
        prometheus: { ...prometheus, tls: { ...prometheus.tls, postQuantumOnly: true } },
      };
};

/** What of it is not supported, one line each (`docs/decisions/telemetry.md` says why). */
export const unsupportedTelemetry = (telemetry: TelemetrySettings): readonly string[] =>
  telemetry.m3.length > 0
    ? ['telemetry.M3 is not supported: use Prometheus, Statsd, DogStatsd or OpenTelemetry']
    : [];
