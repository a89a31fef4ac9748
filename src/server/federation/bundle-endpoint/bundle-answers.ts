import type { Bundle } from '../../../spiffe/bundle.ts';
import { writeBundleDocument } from '../../../spiffe/bundle-document.ts';

/** What the endpoint answers (`reference/server.md` §10.1). */
export type BundleAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type BundleAnswersOptions = {
  /** The trust domain's own bundle as it is now. */
  readonly bundle: () => Bundle | undefined;
  readonly refreshHintSeconds: number;
  /** Told why there is no document to be had. */
  readonly onFailure: (error: unknown) => void;
};

/** Answers requests; the document is written once for each bundle. */
export function createBundleAnswers({
  bundle: current,
  refreshHintSeconds,
  onFailure,
}: BundleAnswersOptions): (method: string, target: string) => BundleAnswer {
  const hint = Math.max(0, Math.trunc(refreshHintSeconds));
  let known: { readonly bundle: Bundle; readonly answer: BundleAnswer } | undefined;
  return (method, target) => {
    if (method !== 'GET') return refusal(405, 'method not allowed');
    if (pathOf(target) !== '/') return refusal(404, 'page not found');
    const bundle = current();
    if (bundle === undefined) return refusal(500, 'unable to retrieve local bundle');
    try {
      if (known?.bundle !== bundle) known = { bundle, answer: document(bundle, hint) };
      return known.answer;
    } catch (error) {
      onFailure(error);
      return refusal(500, 'unable to marshal local bundle');
    }
  };
}

function document(bundle: Bundle, refreshHintSeconds: number): BundleAnswer {
  const text = writeBundleDocument(bundle, { refreshHintSeconds, noKeys: '[]' });
  const body = Buffer.from(text);
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Content-Length': String(body.length) },
    body,
  };
}

function refusal(status: number, reason: string): BundleAnswer {
  const body = Buffer.from(`${status} ${reason}\n`);
  return {
    status,
    headers: {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      'Content-Length': String(body.length),
    },
    body,
  };
}

/** The path of a request's target, which may also be a whole URL (RFC 9112 §3.2); never normalised. */
const pathOf = (target: string): string =>
  target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '') || '/';
