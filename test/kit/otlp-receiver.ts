import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

type Attribute = { key: string; value: Record<string, string | number | boolean> };
export type ReceivedSpan = {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  attributes: Attribute[];
};
export type ReceivedLog = {
  service: string;
  severityText: string;
  body: { stringValue: string };
  attributes: Attribute[];
  traceId?: string;
};
export type ReceivedMetric = {
  service: string;
  name: string;
  sum?: { dataPoints: DataPoint[] };
  gauge?: { dataPoints: DataPoint[] };
  histogram?: { dataPoints: DataPoint[] };
};
type DataPoint = { attributes: Attribute[]; asDouble?: number; count?: string };

type Resource = { resource: { attributes: Attribute[] } };
type Scoped<Key extends string, T> = Record<Key, Omit<T, 'service'>[]>;

/** A receiver of OTLP over HTTP that decodes what it gets, and answers 400 to what it cannot. */
export class OtlpReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly logs: ReceivedLog[] = [];
  readonly metrics: ReceivedMetric[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** What it answers next instead of 200. */
  readonly refusals: number[] = [];
  requests = 0;
  readonly #server = createServer((request, response) => {
    this.requests++;
    this.headers.push(request.headers);
    void text(request).then((body) => {
      const refusal = this.refusals.shift();
      response.writeHead(refusal ?? this.#take(request, body)).end('{}');
    });
  });

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #take({ method, url, headers }: IncomingMessage, body: string): number {
    if (method !== 'POST' || headers['content-type'] !== 'application/json') return 415;
    const request = JSON.parse(body) as Record<string, Resource[]>;
    switch (url) {
      case '/v1/traces':
        this.spans.push(...items<ReceivedSpan>(request, 'resourceSpans', 'scopeSpans', 'spans'));
        return 200;
      case '/v1/logs':
        this.logs.push(...items<ReceivedLog>(request, 'resourceLogs', 'scopeLogs', 'logRecords'));
        return 200;
      case '/v1/metrics':
        this.metrics.push(
          ...items<ReceivedMetric>(request, 'resourceMetrics', 'scopeMetrics', 'metrics'),
        );
        return 200;
      case undefined:
      default:
        return 404;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

function items<T extends { service: string }>(
  request: Record<string, Resource[]>,
  resources: string,
  scopes: string,
  list: string,
): T[] {
  return (request[resources] ?? []).flatMap((resource) => {
    const { attributes } = resource.resource;
    const service = attributes.find(({ key }) => key === 'service.name')?.value['stringValue'];
    const scoped = (resource as unknown as Record<string, Scoped<string, T>[]>)[scopes] ?? [];
    return scoped.flatMap((scope) =>
      (scope[list] ?? []).map((item) => ({ ...item, service: String(service) }) as T),
    );
  });
}
