import { hash } from 'node:crypto';
import { type NameFields, nameText, readName, readNameFields } from '../../crypto/x509/name.ts';
import type { LogForms } from '../../ops/log.ts';

/** How the audit log tells bytes apart without showing them; empty for empty input. */
export const sha256Hex = (bytes: Uint8Array): string =>
  bytes.length === 0 ? '' : hash('sha256', bytes, 'hex');

/** A list in one field. */
export const commaList = (values: readonly string[]): string => values.join(',');

/** A certificate's subject, from the DER of the Name: as Go's `pkix.Name` prints itself, and its fields in JSON. */
export function logSubject(name: Uint8Array): LogForms {
  const fields = readNameFields(name);
  const all = (field: keyof NameFields) => fields[field] ?? null;
  const last = (field: keyof NameFields) => fields[field]?.at(-1) ?? '';
  const names = readName(name)
    .flat()
    .map(({ oid, value }) => ({ Type: oid.split('.').map(Number), Value: value ?? null }));
  return {
    text: nameText(name),
    json: {
      Country: all('C'),
      Organization: all('O'),
      OrganizationalUnit: all('OU'),
      Locality: all('L'),
      Province: all('ST'),
      StreetAddress: all('STREET'),
      PostalCode: all('POSTALCODE'),
      SerialNumber: last('SERIALNUMBER'),
      CommonName: last('CN'),
      Names: names.length > 0 ? names : null,
      ExtraNames: null,
    },
  };
}

/** RFC 3339 in whole seconds, UTC, as Go formats it. */
export const rfc3339 = (unixSeconds: number): string =>
  new Date(unixSeconds * 1000).toISOString().replace('.000Z', 'Z');
