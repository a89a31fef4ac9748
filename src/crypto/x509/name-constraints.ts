import { Fault } from '../../base/fault.ts';
import { type DerReader, readWhole, structureError } from '../der/reader.ts';
import { ia5Text } from '../der/strings.ts';

import { type AlternativeNames, generalName } from './general-names.ts';

/** One kind of name in NameConstraints: how it is written there and what it matches. */
type Kind<Name, Constraint> = {
  readonly label: string;
  readonly names: (names: AlternativeNames) => readonly Name[];
  readonly read: (content: Uint8Array) => Constraint;
  readonly matches: (name: Name, constraint: Constraint) => boolean;
  readonly text: (name: Name) => string;
};

type Subtree = { readonly tag: number; readonly constraint: unknown };

/** NameConstraints (RFC 5280 §4.2.1.10) of DNS names, e-mail addresses, URIs and IP addresses. */
export type NameConstraints = {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
  /** Whether it also constrains names of other kinds, which we do not judge. */
  readonly hasOtherKinds: boolean;
};

/** Names times constraints in a chain; more is an attack (Go's limit). */
const MAX_COMPARISONS = 250_000;

const text = (content: Uint8Array): string => ia5Text(content, 'name constraint').toLowerCase();
const same = (name: string): string => name;

/** As Go judges them: a constraint `b.c` holds for `b.c` and for all below; `.b.c` only for what is below. */
const kinds: Readonly<Record<number, Kind<never, never>>> = {
  [generalName.rfc822Name]: kind<string, string>({
    label: 'email address',
    names: ({ emailAddresses }) => emailAddresses,
    read: text,
    matches: emailMatches,
    text: same,
  }),
  [generalName.dnsName]: kind<string, string>({
    label: 'DNS name',
    names: ({ dnsNames }) => dnsNames,
    read: text,
    matches: domainMatches,
    text: same,
  }),
  [generalName.uri]: kind<string, string>({
    label: 'URI',
    names: ({ uris }) => uris,
    read: text,
    matches: (uri, constraint) => domainMatches(hostOf(uri), constraint),
    text: same,
  }),
  [generalName.ipAddress]: kind<Uint8Array, Uint8Array>({
    label: 'IP address',
    names: ({ ipAddresses }) => ipAddresses,
    read: addressAndMask,
    matches: addressMatches,
    text: (address) => address.join('.'),
  }),
};

function kind<Name, Constraint>(row: Kind<Name, Constraint>): Kind<never, never> {
  return row as unknown as Kind<never, never>;
}

export const readNameConstraints = (value: Uint8Array): NameConstraints =>
  readWhole(value, (r) =>
    r.sequence((s) => {
      const permitted = s.explicit(0, readSubtrees);
      const excluded = s.explicit(1, readSubtrees);
      if (permitted === undefined && excluded === undefined) {
        throw new Fault('invalid', 'x509: empty name constraints extension');
      }
      const all = [...(permitted ?? []), ...(excluded ?? [])];
      return {
        permitted: permitted ?? [],
        excluded: excluded ?? [],
        hasOtherKinds: all.some(({ tag }) => kinds[tag] === undefined),
      };
    }),
  );

/** GeneralSubtree without minimum and maximum, which RFC 5280 forbids to use. */
const readSubtrees = (r: DerReader): Subtree[] =>
  r.many((list) =>
    list.sequence((subtree) => {
      const tag = subtree.nextTag;
      if (tag === undefined) throw structureError('empty name constraint');
      const row = kinds[tag];
      if (row === undefined) {
        subtree.element();
        return { tag, constraint: undefined };
      }
      return { tag, constraint: row.read(subtree.content(tag)) };
    }),
  );

/** Counts comparisons over a whole verification. */
export type ComparisonBudget = { left: number };

export const comparisonBudget = (): ComparisonBudget => ({ left: MAX_COMPARISONS });

/** Throws 'invalid', in Go's words, if a certificate with these names must not stand below such an authority. */
export function checkNameConstraints(
  constraints: NameConstraints,
  names: AlternativeNames,
  budget: ComparisonBudget,
): void {
  for (const [tag, row] of Object.entries(kinds)) {
    const own = (subtree: Subtree) => subtree.tag === Number(tag);
    const permitted = constraints.permitted.filter(own);
    const excluded = constraints.excluded.filter(own);
    if (permitted.length + excluded.length === 0) continue;
    const matches = ({ constraint }: Subtree, name: never) =>
      row.matches(name, constraint as never);
    for (const name of row.names(names)) {
      spend(budget, permitted.length + excluded.length);
      if (excluded.some((subtree) => matches(subtree, name))) {
        throw refused(`${row.label} "${row.text(name)}" is excluded by a constraint`);
      }
      if (permitted.length > 0 && !permitted.some((subtree) => matches(subtree, name))) {
        throw refused(`${row.label} "${row.text(name)}" is not permitted by any constraint`);
      }
    }
  }
}

function spend(budget: ComparisonBudget, count: number): void {
  budget.left -= count;
  if (budget.left < 0) {
    throw new Fault('invalid', 'x509: too many name constraints to check');
  }
}

const refused = (why: string): Fault =>
  new Fault(
    'invalid',
    `x509: a root or intermediate certificate is not authorized to sign for this name: ${why}`,
  );

function domainMatches(name: string, constraint: string): boolean {
  if (constraint === '') return true;
  const domain = name.toLowerCase();
  return constraint.startsWith('.')
    ? domain.endsWith(constraint) && domain.length > constraint.length
    : domain === constraint || domain.endsWith(`.${constraint}`);
}

function emailMatches(address: string, constraint: string): boolean {
  if (constraint.includes('@')) {
    const [local, host] = splitAddress(address);
    const [wantedLocal, wantedHost] = splitAddress(constraint);
    // The local part is compared as it is written; `read` lowered the constraint's, so a mixed-case one matches nothing.
    return local === wantedLocal && host.toLowerCase() === wantedHost;
  }
  return domainMatches(splitAddress(address)[1], constraint);
}

function splitAddress(address: string): [string, string] {
  const at = address.lastIndexOf('@');
  return [address.slice(0, at), address.slice(at + 1)];
}

/** The host of a URI (RFC 3986 §3.2). One without a host, or an IP address, cannot be judged and is refused. */
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
function addressAndMask(content: Uint8Array): Uint8Array {
  const mask = content.subarray(content.length / 2);
  const bits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('');
  if ((content.length !== 8 && content.length !== 32) || !/^1*0*$/.test(bits)) {
    throw new Fault('invalid', 'x509: IP constraint contained invalid mask');
  }
  return content;
}

function addressMatches(address: Uint8Array, constraint: Uint8Array): boolean {
  if (address.length * 2 !== constraint.length) return false;
  return address.every(
    (byte, at) => ((byte ^ (constraint[at] ?? 0)) & (constraint[at + address.length] ?? 0)) === 0,
  );
}
