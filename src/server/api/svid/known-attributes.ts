import { nameDer, readName } from '../../../crypto/x509/name.ts';

/** In the order in which Go writes them; of the last two only one value is kept, the last. */
const attributes: readonly { readonly oid: string; readonly name: string; single?: true }[] = [
  { oid: '2.5.4.6', name: 'C' },
  { oid: '2.5.4.10', name: 'O' },
  { oid: '2.5.4.11', name: 'OU' },
  { oid: '2.5.4.7', name: 'L' },
  { oid: '2.5.4.8', name: 'ST' },
  { oid: '2.5.4.9', name: 'STREET' },
  { oid: '2.5.4.17', name: 'POSTALCODE' },
  { oid: '2.5.4.3', name: 'CN', single: true },
  { oid: '2.5.4.5', name: 'SERIALNUMBER', single: true },
];

/**
 * The Name of a CSR as SPIRE takes it over: attributes of other types are dropped, values of one type share one RDN
 * (`reference/server.md` §7.2). Undefined if nothing is left.
 */
export function knownAttributes(subject: Uint8Array): Uint8Array | undefined {
  const given = readName(subject).flat();
  const kept = attributes.flatMap(({ oid, name, single }) => {
    const values = given.flatMap((attribute) =>
      attribute.oid === oid && attribute.value !== undefined ? [attribute.value] : [],
    );
    const all = single ? values.slice(-1) : values;
    return all.length === 0 ? [] : [[name, ...all] as const];
  });
  return kept.length === 0 ? undefined : nameDer(kept);
}
