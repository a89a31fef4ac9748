import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OtlpBlock } from './otlp-block.ts';
import { resolveOtlp } from './otlp-settings.ts';

const silent: OtlpBlock = {
  endpoint: undefined,
  headers: [],
  caFile: undefined,
  serviceName: undefined,
  traces: undefined,
  metrics: undefined,
  logs: undefined,
  sampleRatio: undefined,
  protocol: undefined,
};
const resolve = (block: Partial<OtlpBlock> = {}, environment: Record<string, string> = {}) =>
  resolveOtlp({ ...silent, ...block }, environment, 'spire_server');
const urls = (...given: Parameters<typeof resolve>) =>
  Object.values(resolve(...given).urls).map(String);

test('an empty block sends everything to a collector of this machine', () => {
  const settings = resolve();
  assert.deepEqual(urls(), [
    'http://localhost:4318/v1/traces',
    'http://localhost:4318/v1/metrics',
    'http://localhost:4318/v1/logs',
  ]);
  assert.deepEqual(
    { ...settings, urls: undefined },
    {
      urls: undefined,
      headers: {},
      caFile: undefined,
      timeoutMilliseconds: 10_000,
      metricsIntervalMilliseconds: 60_000,
      sampleRatio: 1,
      resource: { 'service.name': 'spire_server' },
    },
  );
});

test('the block is what counts', () => {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://elsewhere',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://elsewhere',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=env,b=env',
    OTEL_SERVICE_NAME: 'env',
    OTEL_TRACES_SAMPLER: 'always_off',
  };
  const block = {
    endpoint: 'https://collector.test/base/',
    headers: ['a=block'],
    serviceName: 'block',
    logs: false,
    metrics: false,
    sampleRatio: '0.25',
  };
  assert.deepEqual(urls(block, environment), ['https://collector.test/base/v1/traces']);
  const settings = resolve(block, environment);
  assert.deepEqual(settings.headers, { a: 'block', b: 'env' });
  assert.equal(settings.resource['service.name'], 'block');
  assert.equal(settings.sampleRatio, 0.25);
});

test('the standard variables fill in what the block leaves open', () => {
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a.test:1',
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://b.test/logs',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x, b = 2',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2500',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
    OTEL_SERVICE_NAME: 'mine',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=prod',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.5',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  };
  assert.deepEqual(urls({}, environment), [
    'http://a.test:1/v1/traces',
    'http://a.test:1/v1/metrics',
    'http://b.test/logs',
  ]);
  assert.deepEqual(
    { ...resolve({}, environment), urls: undefined },
    {
      urls: undefined,
      headers: { authorization: 'Bearer x', b: '2' },
      caFile: '/ca.pem',
      timeoutMilliseconds: 2500,
      metricsIntervalMilliseconds: 1000,
      sampleRatio: 0.5,
      resource: { 'deployment.environment': 'prod', 'service.name': 'mine' },
    },
  );
});

test('OTEL_SDK_DISABLED sends nothing', () => {
  assert.deepEqual(urls({}, { OTEL_SDK_DISABLED: 'true' }), []);
});

for (const [sampler, ratio] of [
  ['always_on', 1],
  ['parentbased_always_off', 0],
] as const) {
  test(`the sampler ${sampler} is a ratio of ${ratio}`, () => {
    assert.equal(resolve({}, { OTEL_TRACES_SAMPLER: sampler }).sampleRatio, ratio);
  });
}

const refusals: readonly (readonly [Partial<OtlpBlock>, Record<string, string>, string])[] = [
  [{ endpoint: 'localhost:4318' }, {}, 'endpoint: "localhost:4318" is no URL of http or https'],
  [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'x' },
    'OTEL_EXPORTER_OTLP_ENDPOINT: "x" is no URL of http or https',
  ],
  [{ protocol: 'grpc' }, {}, 'protocol: "grpc" is not supported: only http/json is'],
  [
    {},
    { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
    'OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" is not supported: only http/json is',
  ],
  [{ headers: ['secret'] }, {}, 'headers: must be a list of name=value'],
  [{ headers: ['a:b=secret'] }, {}, 'headers: what is given cannot be sent by HTTP'],
  [
    {},
    { OTEL_EXPORTER_OTLP_HEADERS: 'a=secret%0a' },
    'OTEL_EXPORTER_OTLP_HEADERS: what is given cannot be sent by HTTP',
  ],
  [
    { endpoint: 'htp://me:secret@host' },
    {},
    'endpoint: "htp://...@host" is no URL of http or https',
  ],
  [
    {},
    { OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz' },
    'OTEL_EXPORTER_OTLP_HEADERS: must be a list of name=value',
  ],
  [{ sampleRatio: '1.1' }, {}, 'sample_ratio: "1.1" is no number from 0 to 1'],
  [{ sampleRatio: '' }, {}, 'sample_ratio: "" is no number from 0 to 1'],
  [{}, { OTEL_TRACES_SAMPLER: 'jaeger' }, 'OTEL_TRACES_SAMPLER: "jaeger" is not supported'],
  [
    {},
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'x' },
    'OTEL_TRACES_SAMPLER_ARG: "x" is no number from 0 to 1',
  ],
  [
    {},
    { OTEL_EXPORTER_OTLP_TIMEOUT: '0' },
    'OTEL_EXPORTER_OTLP_TIMEOUT: "0" is no number of milliseconds',
  ],
];
for (const [block, environment, message] of refusals) {
  test(`refuses ${message}`, () => {
    assert.throws(() => resolve(block, environment), {
      kind: 'invalid',
      message: `telemetry.OpenTelemetry: ${message}`,
    });
  });
}
