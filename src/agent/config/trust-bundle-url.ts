import { goQuote } from '../../base/go-quote.ts';
import type { Located } from '../../base/located.ts';
import type { Problems } from '../../base/problems.ts';

/** Checks 19 to 22 of `reference/agent.md` §1.9: HTTPS, or HTTP over a Unix socket. */
export function checkTrustBundleUrl(
  { text, position }: Located,
  overUnixSocket: boolean,
  problems: Problems,
): void {
  const broken = whyNotUrl(text);
  if (broken !== undefined) {
    problems.add(`unable to parse trust bundle URL: parse ${goQuote(text)}: ${broken}`, position);
    return;
  }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase() ?? '';
  if (!overUnixSocket) {
    if (scheme !== 'https') problems.add('trust bundle URL must start with https://', position);
    return;
  }
  if (scheme !== 'http') {
    problems.add(
      'trust bundle URL must start with http:// when used with trust bundle unix socket',
      position,
    );
    return;
  }
  for (const prefix of ['spiffe-', 'spire-']) {
    if (queryKeys(text).some((key) => key.startsWith(prefix))) {
      problems.add(`trust_bundle_url query params can not start with ${prefix}`, position);
      return;
    }
  }
}

/** In Go's words. */
function whyNotUrl(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\0-\x1f\x7f]/.test(text)) return 'net/url: invalid control character in URL';
  if (text.startsWith(':')) return 'missing protocol scheme';
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text.split(/[?#]/, 1)[0] ?? '')?.[0];
  if (escape !== undefined) return `invalid URL escape ${goQuote(escape)}`;
  const port = /^[a-z]+:\/\/[^/?#]*:([^/?#:\]]*)(?=[/?#]|$)/i.exec(text)?.[1];
  if (port !== undefined && !/^\d*$/.test(port)) {
    return `invalid port ${goQuote(`:${port}`)} after host`;
  }
  return undefined;
}

function queryKeys(text: string): string[] {
  const [, query = ''] = /\?([^#]*)/.exec(text) ?? [];
  return [...new URLSearchParams(query).keys()];
}
