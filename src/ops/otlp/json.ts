import type { EndedSpan } from './tracer.ts';

/** Values as OTLP's JSON writes them; integers of 64 bits are strings. */
type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number };

/** Callers write into errors what they like; what waits to be sent must not hold more of it. */
const MAX_TEXT_LENGTH = 4096;

/** The text, or a copy of its beginning. */
export const cutText = (text: string): string =>
  text.length <= MAX_TEXT_LENGTH
    ? text
    : Buffer.from(`${text.slice(0, MAX_TEXT_LENGTH)}…`).toString();

export type Attribute = { readonly key: string; readonly value: AnyValue };

export const attributesOf = (
  values: Readonly<Record<string, string | number | bigint | boolean>>,
): readonly Attribute[] =>
  Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));

function anyValue(value: string | number | bigint | boolean): AnyValue {
  if (typeof value === 'string') return { stringValue: cutText(value) };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return { intValue: String(value) };
  // JSON has no infinities.
  return Number.isFinite(value) ? { doubleValue: value } : { stringValue: String(value) };
}

/** Unix milliseconds as nanoseconds; their fraction is good for microseconds. */
export const nanoseconds = (milliseconds: number): string =>
  `${Math.round(milliseconds * 1000)}000`;

const kinds = { internal: 1, server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

export const spanToJson = (span: EndedSpan) => ({
  traceId: span.context.traceId,
  spanId: span.context.spanId,
  ...(span.parentSpanId !== undefined && { parentSpanId: span.parentSpanId }),
  flags: 1,
  name: span.name,
  kind: kinds[span.kind],
  startTimeUnixNano: nanoseconds(span.startedAt),
  endTimeUnixNano: nanoseconds(span.endedAt),
  attributes: attributesOf(span.attributes),
  status: span.failure === undefined ? {} : { code: STATUS_ERROR, message: cutText(span.failure) },
});

export type SpanJson = ReturnType<typeof spanToJson>;

export type Origin = {
  readonly resource: { readonly attributes: readonly Attribute[] };
  readonly scope: { readonly name: string; readonly version: string };
};

export const tracesRequest = ({ resource, scope }: Origin, spans: readonly SpanJson[]) => ({
  resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }],
});
