import { type Bundle, x509AuthorityCertificates } from '../../../spiffe/bundle.ts';

const MINUTE = 60;
/** Where there is no bundle yet: soon. */
const RETRY_SECONDS = MINUTE;
/** So often is asked within the time that the other side gives. */
const ASKED_PER_HINT = 4;
/** So many hints fit into the life of an authority. */
const HINTS_PER_LIFETIME = 10;
/** An endless hint would end the refreshes. */
const MAX_HINT_SECONDS = 365 * 24 * 60 * MINUTE;

/** Seconds to the next poll (`reference/server.md` §10.3): after a success of what was fetched, else of what is stored. */
export function secondsToNextRefresh(bundle: Bundle | undefined): number {
  if (bundle === undefined) return RETRY_SECONDS;
  return Math.min(Math.max(hintOf(bundle), MINUTE), MAX_HINT_SECONDS) / ASKED_PER_HINT;
}

function hintOf(bundle: Bundle): number {
  if (bundle.refreshHintSeconds > 0) return bundle.refreshHintSeconds;
  const lifetimes = x509AuthorityCertificates(bundle).map(
    ({ notBefore, notAfter }) => notAfter - notBefore,
  );
  return lifetimes.length === 0 ? 0 : Math.min(...lifetimes) / HINTS_PER_LIFETIME;
}
