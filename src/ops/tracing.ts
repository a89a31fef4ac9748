export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Whose end a span is of a call; 'internal' where there is no call. */
export type SpanKind = 'internal' | 'server' | 'client';

/** A span that runs. It goes into a trace when it ends. */
export interface Span {
  set(attributes: SpanAttributes): void;
}

export type SpanOptions = {
  readonly kind?: SpanKind;
  readonly attributes?: SpanAttributes;
  /** The span that this one is part of; undefined: it begins a trace. Left out: the one that the caller is in. */
  readonly parent?: SpanContext | undefined;
};

/** Names a span to others (W3C Trace Context). */
export type SpanContext = {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** Whether it is recorded; its parts are then too. */
  readonly sampled: boolean;
};

/** Tells how the work of a request is made up. Calls never throw by themselves, and never wait. */
export interface Tracer {
  /** Runs the task; what it starts is part of the span. The span ends with the task, and tells if that throws. */
  span<T>(name: string, task: (span: Span) => Promise<T>, options?: SpanOptions): Promise<T>;
  /** The span that the caller is in. */
  current(): SpanContext | undefined;
  /** Ends the span of the call that the caller is in, though it goes on: what it is about has been answered. */
  answered(): void;
}

const noSpan: Span = { set() {} };

/** For programs that trace nothing: the task is all that runs. */
export const noTracer: Tracer = {
  span: (_name, task) => task(noSpan),
  current: () => undefined,
  answered() {},
};

/** The header by which a span is named to whoever is asked. */
export const TRACE_HEADER = 'traceparent';

export const formatTraceparent = ({ traceId, spanId, sampled }: SpanContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;

/** undefined unless it is a header of a version that we understand, with IDs that are not all zeros. */
export function parseTraceparent(text: string): SpanContext | undefined {
  const match =
    /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/.exec(
      text,
    );
  if (match?.[1] === undefined || match[2] === undefined || match[3] === undefined)
    return undefined;
  if (text.startsWith('00') && text.length !== 55) return undefined;
  const sampled = (Number.parseInt(match[3], 16) & 1) === 1;
  return { traceId: match[1], spanId: match[2], sampled };
}
