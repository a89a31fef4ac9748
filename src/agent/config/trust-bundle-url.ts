import { attempt } from '../../base/complaints.ts';
import { parseGoUrl } from '../../base/go-url.ts';
import type { Located } from '../../base/located.ts';
import type { Problems } from '../../base/problems.ts';

/** Checks 19 to 22 of `reference/agent.md` §1.9: HTTPS, or HTTP over a Unix socket. */
export function checkTrustBundleUrl(
  { text, position }: Located,
  overUnixSocket: boolean,
  problems: Problems,
): void {
  const url = attempt(
    problems,
    () => parseGoUrl(text),
    (reason) => `unable to parse trust bundle URL: ${reason}`,
    position,
  );
  if (url === undefined) return;
  const { scheme } = url;
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

function queryKeys(text: string): string[] {
  const [, query = ''] = /\?([^#]*)/.exec(text) ?? [];
  return [...new URLSearchParams(query).keys()];
}
