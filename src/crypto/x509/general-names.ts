import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { type DerReader, readWhole } from '../der/reader.ts';
import { ia5Text } from '../der/strings.ts';
import { contextTag } from '../der/tags.ts';
import { type Der, implicit, sequenceOf } from '../der/writer.ts';

/** The names of a SubjectAltName (RFC 5280 §4.2.1.6), each kind in its order. */
export type AlternativeNames = {
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly emailAddresses: readonly string[];
  /** 4 or 16 bytes each. */
  readonly ipAddresses: readonly Uint8Array[];
};

export const noNames: AlternativeNames = {
  dnsNames: [],
  uris: [],
  emailAddresses: [],
  ipAddresses: [],
};

/** The choices of a GeneralName that we use. */
export const generalName = {
  rfc822Name: contextTag(1),
  dnsName: contextTag(2),
  uri: contextTag(6),
  ipAddress: contextTag(7),
} as const;

type Found = { [Kind in keyof AlternativeNames]: AlternativeNames[Kind][number][] };

const readers: ReadonlyMap<number, (content: Uint8Array, found: Found) => void> = new Map<
  number,
  (content: Uint8Array, found: Found) => void
>([
  [
    generalName.rfc822Name,
    (content, found) => found.emailAddresses.push(ia5Text(content, 'SAN rfc822Name')),
  ],
  [generalName.dnsName, (content, found) => found.dnsNames.push(ia5Text(content, 'SAN dNSName'))],
  [
    generalName.uri,
    (content, found) => found.uris.push(ia5Text(content, 'SAN uniformResourceIdentifier')),
  ],
  [generalName.ipAddress, (content, found) => found.ipAddresses.push(ipAddress(content))],
]);

/** GeneralNames of the kinds above; the others are skipped. */
export const readAlternativeNames = (value: Uint8Array): AlternativeNames =>
  readWhole(value, (r) => r.sequence(readNames));

/** DNS names in their order, then the URIs: as SPIRE writes them (`reference/server.md` §7.1). */
export const alternativeNames = (names: Pick<AlternativeNames, 'dnsNames' | 'uris'>): Der =>
  sequenceOf([
    ...names.dnsNames.map((name) => implicit(2, ascii(name))),
    ...names.uris.map((uri) => implicit(6, ascii(uri))),
  ]);

function readNames(r: DerReader): AlternativeNames {
  const found: Found = { dnsNames: [], uris: [], emailAddresses: [], ipAddresses: [] };
  while (!r.atEnd) {
    const tag = r.nextTag ?? 0;
    const content = r.content(tag);
    readers.get(tag)?.(content, found);
  }
  return found;
}

function ipAddress(content: Uint8Array): Uint8Array {
  if (content.length === 4 || content.length === 16) return content;
  throw new Fault('invalid', `x509: cannot parse IP address of length ${content.length}`);
}

function ascii(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.some((byte) => byte > 0x7f)) {
    throw new Fault('invalid', `x509: ${goQuote(text)} cannot be encoded as an IA5String`);
  }
  return bytes;
}
