import { nameDer, readName } from '../crypto/x509/name.ts';

/**
 * The attributes of a Name that certificates keep, in the order they are written in; each attribute is one RDN that
 * holds all its values, but of the last two only the last value counts (`reference/server.md` §7.1).
 */
const attributes = [
  { name: 'C', oid: '2.5.4.6', multiple: true },
  { name: 'O', oid: '2.5.4.10', multiple: true },
  { name: 'OU', oid: '2.5.4.11', multiple: true },
  { name: 'L', oid: '2.5.4.7', multiple: true },
  { name: 'ST', oid: '2.5.4.8', multiple: true },
  { name: 'STREET', oid: '2.5.4.9', multiple: true },
  { name: 'POSTALCODE', oid: '2.5.4.17', multiple: true },
  { name: 'CN', oid: '2.5.4.3', multiple: false },
  { name: 'SERIALNUMBER', oid: '2.5.4.5', multiple: false },
] as const;

export type SubjectAttribute = (typeof attributes)[number]['name'];
export type Subject = { readonly [name in SubjectAttribute]?: readonly string[] };

/** The known attributes of a Name's DER; those of other types, or that are no text, are dropped. Throws 'invalid'. */
export function readSubject(der: Uint8Array): Subject {
  const read = readName(der).flat();
  const found = attributes.flatMap(({ name, oid, multiple }) => {
    const values = read.flatMap((attribute) =>
      attribute.oid === oid && attribute.value !== undefined ? [attribute.value] : [],
    );
    const kept = multiple ? values : values.slice(-1);
    return kept.length > 0 ? [[name, kept]] : [];
  });
  return Object.fromEntries(found) as Subject;
}

/** DER of the Name; empty values are left out. */
export const subjectDer = (subject: Subject): Uint8Array =>
  nameDer(
    attributes.flatMap(({ name }) => {
      const values = (subject[name] ?? []).filter((value) => value !== '');
      return values.length > 0 ? [[name, ...values] as const] : [];
    }),
  );
