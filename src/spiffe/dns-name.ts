import { domainToASCII } from 'node:url';
import { Fault } from '../base/fault.ts';
import { goQuote } from '../base/go-quote.ts';
import { decodePunycode } from './punycode.ts';

/** Bytes of a name (RFC 1035 §2.3.4), not counting a wildcard label. */
const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
const WILDCARD_PREFIX = '*.';
const ACE_PREFIX = 'xn--';
const NOT_ASCII = /[^\0-\x7f]/;

/** A DNS name that an SVID may carry, by SPIRE's rules in its order (`reference/server.md` §14.1). Throws 'invalid'. */
export function checkDnsName(name: string): void {
  if (NOT_ASCII.test(name)) throw new Fault('invalid', 'name must be ascii');
  const rest = withoutWildcard(name);
  if (rest.trim() === '') throw new Fault('invalid', 'empty or only whitespace');
  if (rest.endsWith('.')) throw new Fault('invalid', 'domain ends with dot');
  const labels = rest.split('.');
  if (rest.length > MAX_NAME_LENGTH || labels.includes('')) throw invalidLabel(rest);
  for (const label of labels) checkLabel(label);
}

/** A wildcard beside a name that it covers (SPIRE checks this for minted SVIDs only). Throws 'invalid'. */
export function checkWildcardOverlap(names: readonly string[]): void {
  const wildcards = new Set(names.filter((name) => name.startsWith(WILDCARD_PREFIX)));
  for (const name of names) {
    const covering = `*${name.slice(Math.max(0, name.indexOf('.')))}`;
    if (!wildcards.has(name) && name.includes('.') && wildcards.has(covering)) {
      throw new Fault(
        'invalid',
        `name "${name}" overlaps with an existing wildcard name in the list: wildcard overlap`,
      );
    }
  }
}

function withoutWildcard(name: string): string {
  const stars = name.split('*').length - 1;
  if (stars > 1) throw new Fault('invalid', 'too many wildcards');
  if (stars === 0) return name;
  if (!name.startsWith(WILDCARD_PREFIX)) {
    throw new Fault('invalid', 'wildcard must be first label');
  }
  return name.slice(WILDCARD_PREFIX.length);
}

function checkLabel(label: string): void {
  if (label.length > MAX_LABEL_LENGTH) throw invalidLabel(label);
  if (label.startsWith(ACE_PREFIX)) {
    checkInternationalLabel(label);
    return;
  }
  const reservedHyphens = label.length > 4 && label.startsWith('--', 2);
  if (label.startsWith('-') || label.endsWith('-') || reservedHyphens) throw invalidLabel(label);
}

/** An A-label (RFC 5890 §2.3.2.1): what it decodes to must encode to it again. */
function checkInternationalLabel(label: string): void {
  const encoded = label.slice(ACE_PREFIX.length);
  const decoded = decodePunycode(encoded);
  if (decoded === undefined || !NOT_ASCII.test(decoded)) throw invalidLabel(encoded);
  if (domainToASCII(decoded) !== label) throw invalidLabel(decoded);
}

const invalidLabel = (label: string): Fault =>
  new Fault('invalid', `idna error\nidna: invalid label ${goQuote(label)}`);
