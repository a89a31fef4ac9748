import { Fault } from '../../base/fault.ts';
import { ia5Text } from '../der/strings.ts';
import { type AlternativeNames, generalName } from './general-names.ts';

/** A base of a subtree, asked whether a name (as its kind prepares it) is in it. */
export type Constraint = (name: PreparedName) => boolean;

/** What names are compared by: a domain in lower case (and the local part of an e-mail address), or an address. */
type PreparedName = {
  readonly domain: string;
  readonly local: string;
  readonly address: Uint8Array;
};

/** One kind of name: where a certificate has them, and how they and their constraints are written. */
export type ConstraintKind = {
  readonly label: string;
  readonly names: (names: AlternativeNames) => readonly { text: string; prepared: PreparedName }[];
  readonly constraint: (content: Uint8Array) => Constraint;
};

/** The kinds of names that are judged, by the tag of their GeneralName. */
export const constraintKinds: ReadonlyMap<number, ConstraintKind> = new Map<number, ConstraintKind>(
  [
    [
      generalName.rfc822Name,
      {
        label: 'email address',
        names: ({ emailAddresses }) =>
          emailAddresses.map((text) => ({ text, prepared: mailbox(text) })),
        constraint: (content) => mailConstraint(ia5Text(content, 'rfc822Name constraint')),
      },
    ],
    [
      generalName.dnsName,
      {
        label: 'DNS name',
        names: ({ dnsNames }) => dnsNames.map((text) => ({ text, prepared: inDomain(text) })),
        constraint: (content) => domainConstraint(ia5Text(content, 'dNSName constraint')),
      },
    ],
    [
      generalName.uri,
      {
        label: 'URI',
        names: ({ uris }) => uris.map((text) => ({ text, prepared: inDomain(hostOf(text)) })),
        constraint: (content) => domainConstraint(ia5Text(content, 'URI constraint')),
      },
    ],
    [
      generalName.ipAddress,
      {
        label: 'IP address',
        names: ({ ipAddresses }) =>
          ipAddresses.map((address) => ({
            text: address.join('.'),
            prepared: { domain: '', local: '', address },
          })),
        constraint: addressConstraint,
      },
    ],
  ],
);

/** In Go's words. */
export const notAuthorized = (why: string): Fault =>
  new Fault(
    'invalid',
    `x509: a root or intermediate certificate is not authorized to sign for this name: ${why}`,
  );

const NO_ADDRESS = new Uint8Array();

const inDomain = (name: string): PreparedName => ({
  domain: name.toLowerCase(),
  local: '',
  address: NO_ADDRESS,
});

function mailbox(address: string): PreparedName {
  const at = address.lastIndexOf('@');
  return { ...inDomain(address.slice(at + 1)), local: address.slice(0, Math.max(at, 0)) };
}

/** As Go judges them: `b.c` holds for `b.c` and for all below it; `.b.c` only for what is below; the empty one for all. */
function domainConstraint(text: string): Constraint {
  const base = text.toLowerCase();
  if (base === '') return () => true;
  if (base.startsWith('.')) {
    return ({ domain }) => domain.length > base.length && domain.endsWith(base);
  }
  const below = `.${base}`;
  return ({ domain }) => domain === base || domain.endsWith(below);
}

/** A mailbox, or a domain in which all mailboxes are. */
function mailConstraint(text: string): Constraint {
  if (!text.includes('@')) return domainConstraint(text);
  const wanted = mailbox(text);
  return ({ domain, local }) => domain === wanted.domain && local === wanted.local;
}

/** The host of a URI (RFC 3986 §3.2). One without a host, or with an IP address, cannot be judged and is refused. */
function hostOf(uri: string): string {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(uri)?.[1] ?? '';
  const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '');
  if (host === '') {
    throw notAuthorized(`URI with empty host ("${uri}") cannot be matched against constraints`);
  }
  if (host.startsWith('[') || /^\d+(\.\d+){3}$/.test(host)) {
    throw notAuthorized(`URI with IP ("${uri}") cannot be matched against constraints`);
  }
  return host;
}

/** An address, then a mask of ones before zeros. */
function addressConstraint(content: Uint8Array): Constraint {
  const size = content.length / 2;
  const [base, mask] = [content.subarray(0, size), content.subarray(size)];
  if ((size !== 4 && size !== 16) || !isMask(mask)) {
    throw new Fault('invalid', 'x509: IP constraint contained an invalid address or mask');
  }
  return ({ address }) =>
    address.length === size &&
    address.every((byte, at) => ((byte ^ (base[at] ?? 0)) & (mask[at] ?? 0)) === 0);
}

function isMask(bytes: Uint8Array): boolean {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits);
}
