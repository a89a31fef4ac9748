import { Fault } from '../../base/fault.ts';
import type { OtlpBlock } from './otlp-block.ts';

export type OtlpSignal = 'traces' | 'metrics' | 'logs';

/** Where what goes, with all defaults filled in. */
export type OtlpSettings = {
  /** The URL of each signal that is sent. */
  readonly urls: Readonly<Partial<Record<OtlpSignal, URL>>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly caFile: string | undefined;
  readonly timeoutMilliseconds: number;
  readonly metricsIntervalMilliseconds: number;
  /** Of the traces that begin here, from 0 to 1. */
  readonly sampleRatio: number;
  /** Attributes of all that is sent. */
  readonly resource: Readonly<Record<string, string>>;
};

type Environment = Readonly<Record<string, string | undefined>>;

const signals: readonly OtlpSignal[] = ['traces', 'metrics', 'logs'];
/** Where collectors listen, and the times that OpenTelemetry names. */
const DEFAULT_ENDPOINT = 'http://localhost:4318';
const DEFAULT_TIMEOUT_MILLISECONDS = 10_000;
const DEFAULT_METRICS_INTERVAL_MILLISECONDS = 60_000;
const PROTOCOL = 'http/json';

/**
 * The block, and where it is silent OpenTelemetry's standard environment variables; without the block these are not
 * read. Throws 'invalid', naming the key or variable.
 */
export function resolveOtlp(
  block: OtlpBlock,
  environment: Environment,
  service: string,
): OtlpSettings {
  const variable = (name: string): string | undefined => environment[name] || undefined;
  checkProtocol(block, variable);
  const off = variable('OTEL_SDK_DISABLED')?.toLowerCase() === 'true';
  const wanted = off ? [] : signals.filter((signal) => block[signal] ?? true);
  return {
    urls: Object.fromEntries(wanted.map((signal) => [signal, urlOf(signal, block, variable)])),
    headers: {
      ...headers('OTEL_EXPORTER_OTLP_HEADERS', variable('OTEL_EXPORTER_OTLP_HEADERS')?.split(',')),
      ...headers('headers', block.headers),
    },
    caFile: block.caFile ?? variable('OTEL_EXPORTER_OTLP_CERTIFICATE'),
    timeoutMilliseconds: milliseconds(
      'OTEL_EXPORTER_OTLP_TIMEOUT',
      variable('OTEL_EXPORTER_OTLP_TIMEOUT'),
      DEFAULT_TIMEOUT_MILLISECONDS,
    ),
    metricsIntervalMilliseconds: milliseconds(
      'OTEL_METRIC_EXPORT_INTERVAL',
      variable('OTEL_METRIC_EXPORT_INTERVAL'),
      DEFAULT_METRICS_INTERVAL_MILLISECONDS,
    ),
    sampleRatio: sampleRatio(block, variable),
    resource: {
      ...pairs('OTEL_RESOURCE_ATTRIBUTES', variable('OTEL_RESOURCE_ATTRIBUTES')?.split(',')),
      'service.name': block.serviceName ?? variable('OTEL_SERVICE_NAME') ?? service,
    },
  };
}

type Variable = (name: string) => string | undefined;

function checkProtocol({ protocol }: OtlpBlock, variable: Variable): void {
  const wanted = protocol ?? variable('OTEL_EXPORTER_OTLP_PROTOCOL') ?? PROTOCOL;
  if (wanted === PROTOCOL) return;
  const where = protocol === undefined ? 'OTEL_EXPORTER_OTLP_PROTOCOL' : 'protocol';
  throw invalid(where, `"${wanted}" is not supported: only ${PROTOCOL} is`);
}

/** The endpoint of all signals gets a path for each; one of a single signal is taken as it is. */
function urlOf(signal: OtlpSignal, { endpoint }: OtlpBlock, variable: Variable): URL {
  const ownName = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`;
  const own = variable(ownName);
  if (endpoint === undefined && own !== undefined) return parseUrl(ownName, own);
  const shared = endpoint ?? variable('OTEL_EXPORTER_OTLP_ENDPOINT') ?? DEFAULT_ENDPOINT;
  const where = endpoint === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'endpoint';
  const url = parseUrl(where, shared);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`;
  return url;
}

function parseUrl(where: string, text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    // What stands before the host may be a password.
    const shown = text.replace(/\/\/[^/]*@/, '//...@');
    throw invalid(where, `"${shown}" is no URL of http or https`);
  }
  return url;
}

/** RFC 9110 §5.1 and §5.5. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function headers(where: string, texts: readonly string[] | undefined): Record<string, string> {
  const given = pairs(where, texts);
  const isSendable = ([name, value]: [string, string]) =>
    HEADER_NAME.test(name) && HEADER_VALUE.test(value);
  if (Object.entries(given).every(isSendable)) return given;
  throw invalid(where, 'what is given cannot be sent by HTTP');
}

/** `name=value`; values may be percent-encoded, as in the variables. */
function pairs(where: string, texts: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name = '', value = ''] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(text) ?? [];
      const decoded = name === '' ? undefined : decodePercent(value);
      // Not the text: it may be a secret.
      if (decoded === undefined) throw invalid(where, 'must be a list of name=value');
      return [name, decoded];
    }),
  );
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function milliseconds(where: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw invalid(where, `"${text}" is no number of milliseconds`);
  return Number(text);
}

function sampleRatio(block: OtlpBlock, variable: Variable): number {
  const sampler = variable('OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const fixed = { always_on: 1, always_off: 0 }[sampler.replace(/^parentbased_/, '')];
  const isRatio = /^(?:parentbased_)?traceidratio$/.test(sampler);
  if (block.sampleRatio === undefined && fixed !== undefined) return fixed;
  if (block.sampleRatio === undefined && !isRatio) {
    throw invalid('OTEL_TRACES_SAMPLER', `"${sampler}" is not supported`);
  }
  const where = block.sampleRatio === undefined ? 'OTEL_TRACES_SAMPLER_ARG' : 'sample_ratio';
  const text = block.sampleRatio ?? variable('OTEL_TRACES_SAMPLER_ARG') ?? '1';
  const ratio = Number(text);
  if (text.trim() === '' || !(ratio >= 0 && ratio <= 1)) {
    throw invalid(where, `"${text}" is no number from 0 to 1`);
  }
  return ratio;
}

const invalid = (where: string, what: string): Fault =>
  new Fault('invalid', `telemetry.OpenTelemetry: ${where}: ${what}`);
