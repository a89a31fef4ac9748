import { Fault } from '../../base/fault.ts';
import { type DerReader, readWhole, structureError } from '../der/reader.ts';
import { ia5Text } from '../der/strings.ts';
import { type AlternativeNames, generalName } from './general-names.ts';

/** NameConstraints (RFC 5280 §4.2.1.10) of DNS names, e-mail addresses, URIs and IP addresses. */
export type NameConstraints = {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
  /** Whether it also constrains names of other kinds, which we do not judge. */
  readonly hasOtherKinds: boolean;
};

/** Constraints by the tag of their kind; those of other kinds are left out. */
type Subtrees = ReadonlyMap<number, readonly Constraint[]>;

/** A base of a subtree, asked whether a name (as its kind prepares it) is in it. */
type Constraint = (name: PreparedName) => boolean;

/** What names are compared by: a domain in lower case (and the local part of an e-mail address), or an address. */
type PreparedName = {
  readonly domain: string;
  readonly local: string;
  readonly address: Uint8Array;
};

/** One kind of name: where a certificate has them, and how they and their constraints are written. */
type Kind = {
  readonly label: string;
  readonly names: (names: AlternativeNames) => readonly { text: string; prepared: PreparedName }[];
  readonly constraint: (content: Uint8Array) => Constraint;
};

/** Names times constraints in one verification; more is an attack (Go's limit). */
const MAX_COMPARISONS = 250_000;

const kinds: ReadonlyMap<number, Kind> = new Map<number, Kind>([
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
]);

export const readNameConstraints = (value: Uint8Array): NameConstraints =>
  readWhole(value, (r) =>
    r.sequence((s) => {
      const permitted = s.explicit(0, readSubtrees);
      const excluded = s.explicit(1, readSubtrees);
      if (permitted === undefined && excluded === undefined) {
        throw new Fault('invalid', 'x509: empty name constraints extension');
      }
      return {
        permitted: permitted?.known ?? NONE,
        excluded: excluded?.known ?? NONE,
        hasOtherKinds: (permitted?.others ?? false) || (excluded?.others ?? false),
      };
    }),
  );

const NONE: Subtrees = new Map();

/** GeneralSubtrees without minimum and maximum, which RFC 5280 forbids to use. */
function readSubtrees(r: DerReader): { known: Subtrees; others: boolean } {
  const known = new Map<number, Constraint[]>();
  let others = false;
  while (!r.atEnd) {
    r.sequence((subtree) => {
      const tag = subtree.nextTag;
      if (tag === undefined) throw structureError('empty name constraint');
      const content = subtree.content(tag);
      const kind = kinds.get(tag);
      if (kind === undefined) {
        others = true;
        return;
      }
      const constraint = kind.constraint(content);
      const siblings = known.get(tag);
      if (siblings === undefined) known.set(tag, [constraint]);
      else siblings.push(constraint);
    });
  }
  return { known, others };
}

/** Counts comparisons over a whole verification. */
export type ComparisonBudget = { left: number };

export const comparisonBudget = (): ComparisonBudget => ({ left: MAX_COMPARISONS });

/** Throws 'invalid', in Go's words, if a certificate with these names must not stand below such an authority. */
export function checkNameConstraints(
  constraints: NameConstraints,
  names: AlternativeNames,
  budget: ComparisonBudget,
): void {
  for (const [tag, { label, names: ofKind }] of kinds) {
    const permitted = constraints.permitted.get(tag) ?? [];
    const excluded = constraints.excluded.get(tag) ?? [];
    if (permitted.length + excluded.length === 0) continue;
    for (const { text, prepared } of ofKind(names)) {
      spend(budget, permitted.length + excluded.length);
      if (excluded.some((excludes) => excludes(prepared))) {
        throw refused(`${label} "${text}" is excluded by a constraint`);
      }
      if (permitted.length > 0 && !permitted.some((permits) => permits(prepared))) {
        throw refused(`${label} "${text}" is not permitted by any constraint`);
      }
    }
  }
}

function spend(budget: ComparisonBudget, count: number): void {
  budget.left -= count;
  if (budget.left < 0) throw new Fault('invalid', 'x509: too many name constraints to check');
}

const refused = (why: string): Fault =>
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
    throw refused(`URI with empty host ("${uri}") cannot be matched against constraints`);
  }
  if (host.startsWith('[') || /^\d+(\.\d+){3}$/.test(host)) {
    throw refused(`URI with IP ("${uri}") cannot be matched against constraints`);
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
