import { Fault } from '../../base/fault.ts';
import { hexText } from '../der/hex.ts';
import { type DerReader, readWhole } from '../der/reader.ts';
import { isPrintable, readCharacterString } from '../der/strings.ts';
import { Tag } from '../der/tags.ts';
import { characterString, type Der, oid, sequence, sequenceOf, setOf } from '../der/writer.ts';

/** Attribute types by their short names (RFC 4519, in the spelling Go prints), in the order Go writes a name's fields. */
const attributeOids = {
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  STREET: '2.5.4.9',
  POSTALCODE: '2.5.4.17',
  CN: '2.5.4.3',
  SERIALNUMBER: '2.5.4.5',
} as const;
export type AttributeName = keyof typeof attributeOids;

const fieldNames = Object.keys(attributeOids) as AttributeName[];
const nameByOid: ReadonlyMap<string, AttributeName> = new Map(
  fieldNames.map((name) => [attributeOids[name], name]),
);

/** A short name or a dotted OID, then its values: one of them as a rule; several share one RDN. */
export type NameAttribute = readonly [attribute: string, ...values: string[]];

/** One AttributeTypeAndValue. */
export type ReadAttribute = {
  readonly oid: string;
  /** undefined if it is no character string of a kind we know. */
  readonly value: string | undefined;
  /** DER of the value. */
  readonly der: Uint8Array;
};

/** The known attributes of a name, gathered as Go's `pkix.Name` has them. */
export type NameFields = { readonly [Name in AttributeName]?: readonly string[] };

/** The DER of a Name, one RDN an attribute, in the order given; strings encoded as Go encodes them. */
export const nameDer = (attributes: readonly NameAttribute[]): Der =>
  sequenceOf(
    attributes.map(([attribute, ...values]) =>
      setOf(values.map((value) => sequence(attributeType(attribute), directoryString(value)))),
    ),
  );

/** The DER of a Name from its fields: C, O, OU, L, ST, STREET, POSTALCODE, CN, SERIALNUMBER, then the extra ones. */
export const nameFromFields = (fields: NameFields, extra: readonly NameAttribute[] = []): Der =>
  nameDer([
    ...fieldNames
      .map((name): NameAttribute => [name, ...(fields[name] ?? [])])
      .filter(({ length }) => length > 1),
    ...extra,
  ]);

/** The RDNs of a Name (RFC 5280 §4.1.2.4). Throws 'invalid'. */
export const readName = (der: Uint8Array): readonly (readonly ReadAttribute[])[] =>
  readWhole(der, (r) => r.sequence((rdns) => rdns.many((rdn) => rdn.set(readRdn))));

/** The known attributes; of CN and SERIALNUMBER the last one counts, of the others all. */
export function readNameFields(der: Uint8Array): NameFields {
  const fields: { [Name in AttributeName]?: string[] } = {};
  for (const { oid, value } of readName(der).flat()) {
    const name = nameByOid.get(oid);
    if (name === undefined || value === undefined) continue;
    const single = name === 'CN' || name === 'SERIALNUMBER';
    if (single || fields[name] === undefined) fields[name] = [value];
    else fields[name].push(value);
  }
  return fields;
}

/** The name as Go's `pkix.Name.String` prints it (RFC 2253): last field first, unknown attributes at the end. */
export function nameText(der: Uint8Array): string {
  const unknown = readName(der)
    .flat()
    .filter(({ oid }) => !nameByOid.has(oid))
    .map(
      ({ oid, value, der }) =>
        `${oid}=#${hexText(value === undefined ? der : directoryString(value))}`,
    );
  const fields = readNameFields(der);
  const known = fieldNames.map((name) =>
    (fields[name] ?? [])
      .filter((value) => value !== '' || (name !== 'CN' && name !== 'SERIALNUMBER'))
      .map((value) => `${name}=${escaped(value)}`)
      .join('+'),
  );
  return [...unknown, ...known.filter((text) => text !== '')].reverse().join(',');
}

/** RelativeDistinguishedName: SET SIZE (1..MAX). Its order is not checked, as nobody does. */
function readRdn(r: DerReader): ReadAttribute[] {
  if (r.atEnd) throw new Fault('invalid', 'x509: invalid RDNSequence: empty RDN');
  return r.many((set) =>
    set.sequence((pair) => {
      const oid = pair.oid();
      const tag = pair.nextTag;
      const der = pair.element();
      return { oid, der, value: tag === undefined ? undefined : readCharacterString(tag, der) };
    }),
  );
}

/** DirectoryString as Go picks its kind: PrintableString without `*` and `&` if it can be, else UTF8String. */
const directoryString = (text: string): Der =>
  characterString(isPrintable(text) ? Tag.PRINTABLE_STRING : Tag.UTF8_STRING, text);

function attributeType(attribute: string): Der {
  return attributeTypes.get(attribute) ?? oid(attribute);
}

const attributeTypes: ReadonlyMap<string, Der> = new Map(
  fieldNames.map((name) => [name, oid(attributeOids[name])]),
);

/** RFC 2253 §2.4. */
const escaped = (value: string): string =>
  value.replaceAll(/^[ #]|(?<!^) $|[,+"\\<>;]/g, (character) => `\\${character}`);
