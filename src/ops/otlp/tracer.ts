import { AsyncLocalStorage } from 'node:async_hooks';
import { kindOf, reasonOf } from '../../base/fault.ts';
import { statusNames } from '../status-names.ts';
import type {
  Span,
  SpanAttributes,
  SpanContext,
  SpanKind,
  SpanOptions,
  Tracer,
} from '../tracing.ts';
import { createIds } from './ids.ts';

/** A span that has ended. Times are Unix milliseconds, with their fractions. */
export type EndedSpan = {
  readonly context: SpanContext;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: SpanAttributes;
  /** What its task threw. */
  readonly failure: string | undefined;
};

export type TracerOptions = {
  /** Of the traces that begin here, from 0 to 1. */
  readonly sampleRatio: number;
  readonly onEnd: (span: EndedSpan) => void;
};

/** Where the work of a call is: in a span, and in the call whose span it is part of. */
type Place = { readonly context: SpanContext; readonly endCall: () => void };

/** Of a trace that is not sampled nothing is kept, but it goes on to whoever is asked, so that they keep nothing too. */
export function createTracer({ sampleRatio, onEnd }: TracerOptions): Tracer {
  const storage = new AsyncLocalStorage<Place>();
  const newId = createIds();

  const newContext = (parent: SpanContext | undefined): SpanContext => {
    const spanId = newId(8);
    if (parent !== undefined) return { ...parent, spanId };
    const traceId = newId(16);
    return { traceId, spanId, sampled: isSampled(traceId, sampleRatio) };
  };
  return {
    async span(name, task, options = {}) {
      const place = storage.getStore();
      const parent = 'parent' in options ? options.parent : place?.context;
      const context = newContext(parent);
      if (!context.sampled) return storage.run({ context, endCall: NOTHING }, task, UNRECORDED);
      const span = startSpan({ name, context, parent, options }, onEnd);
      const endCall = options.kind === 'server' ? span.end : (place?.endCall ?? NOTHING);
      try {
        return await storage.run({ context, endCall }, task, span);
      } catch (error) {
        span.fail(error);
        throw error;
      } finally {
        span.end();
      }
    },
    current: () => storage.getStore()?.context,
    answered() {
      storage.getStore()?.endCall();
    },
  };
}

const NOTHING = (): void => {};
const UNRECORDED: Span = { set() {} };

type Beginning = {
  readonly name: string;
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly options: SpanOptions;
};

type RecordedSpan = Span & {
  readonly fail: (thrown: unknown) => void;
  /** Does nothing the second time. */
  readonly end: () => void;
};

function startSpan(
  { name, context, parent, options: { kind = 'internal', attributes = {} } }: Beginning,
  onEnd: (span: EndedSpan) => void,
): RecordedSpan {
  const startedAt = preciseNow();
  const collected: Record<string, string | number | boolean> = { ...attributes };
  let failure: string | undefined;
  let hasEnded = false;
  return {
    set(more) {
      Object.assign(collected, more);
    },
    fail(thrown) {
      failure = `${statusNames[kindOf(thrown)]}: ${reasonOf(thrown)}`;
    },
    end() {
      if (hasEnded) return;
      hasEnded = true;
      const parentSpanId = parent?.spanId;
      const endedAt = preciseNow();
      onEnd({
        context,
        parentSpanId,
        name,
        kind,
        startedAt,
        endedAt,
        attributes: collected,
        failure,
      });
    },
  };
}

const preciseNow = (): number => performance.timeOrigin + performance.now();

/** By the trace's ID, so that everybody who follows one decides alike. */
const isSampled = (traceId: string, ratio: number): boolean =>
  ratio >= 1 || Number.parseInt(traceId.slice(16, 29), 16) < ratio * 2 ** 52;
