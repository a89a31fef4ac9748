import { noTracer, type SpanContext, type Tracer } from '../ops/tracing.ts';
import type { WorkloadAttestor } from '../plugins/workload-attestor/contract.ts';
import type { Subscription } from './cache/subscriber.ts';
import type { AttestWorkload } from './endpoint/workload-attestation.ts';
import type { Identities } from './identities.ts';

/** Services whose calls are requests of workloads. */
const SERVICES = /^\/(?:SpiffeWorkloadAPI|envoy\.service\.secret\.v3\.SecretDiscoveryService)\//;

export const isTracedByAgent = (method: string): boolean => SERVICES.test(method);

/** The same attestors, each in a span of its own. */
export const tracedAttestors = (
  attestors: readonly WorkloadAttestor[],
  tracer: Tracer,
): readonly WorkloadAttestor[] =>
  tracer === noTracer
    ? attestors
    : attestors.map((attestor) => ({
        name: attestor.name,
        attest: (pid, signal) =>
          tracer.span(`attestor ${attestor.name}`, () => attestor.attest(pid, signal)),
        [Symbol.asyncDispose]: () => attestor[Symbol.asyncDispose](),
      }));

export const tracedAttestation =
  (attest: AttestWorkload, tracer: Tracer): AttestWorkload =>
  (pid, signal) =>
    tracer.span('attest workload', async (span) => {
      const selectors = await attest(pid, signal);
      span.set({ selectors: selectors.size });
      return selectors;
    });

/** The same; what a caller waits for is in spans, and its first answer ends the span of its call. */
export function tracedIdentities(identities: Identities, tracer: Tracer): Identities {
  if (tracer === noTracer) return identities;
  return {
    ...identities,
    subscribe(selectors) {
      return tracedSubscription(identities.subscribe(selectors), tracer);
    },
    awaitEntry: (selectors, signal) =>
      tracer.span('await entry', () => identities.awaitEntry(selectors, signal)),
    fetchJwtSvid: (entry, audience, signal) =>
      tracer.span('JWT-SVID', () => identities.fetchJwtSvid(entry, audience, signal)),
    fetchWitSvid: (entry, signal) =>
      tracer.span('WIT-SVID', () => identities.fetchWitSvid(entry, signal)),
  };
}

function tracedSubscription(subscription: Subscription, tracer: Tracer): Subscription {
  let isFirst = true;
  return {
    async next(signal) {
      if (!isFirst) return subscription.next(signal);
      isFirst = false;
      const update = await tracer.span('X509-SVIDs from the cache', async (span) => {
        const first = await subscription.next(signal);
        span.set({ svids: first.identities.length });
        return first;
      });
      tracer.answered();
      return update;
    },
    [Symbol.dispose]() {
      subscription[Symbol.dispose]();
    },
  };
}

/**
 * For work that one caller waits for and a loop does for all: what is done next is part of the trace of who asked for
 * it last. What nobody asked for is not traced.
 */
export class Cause {
  readonly #tracer: Tracer;
  #span: SpanContext | undefined;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The caller is who asks. */
  note(): void {
    this.#span = this.#tracer.current() ?? this.#span;
  }

  /** Does what was asked for, and forgets who asked. */
  trace<T>(name: string, task: () => Promise<T>): Promise<T> {
    const parent = this.#span;
    this.#span = undefined;
    return parent === undefined ? task() : this.#tracer.span(name, task, { parent });
  }
}
