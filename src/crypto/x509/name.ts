/** An attribute's short name (C, O, OU, L, ST, STREET, POSTALCODE, CN, SERIALNUMBER) or dotted OID, then its values (one RDN). */
export type NameAttribute = readonly [attribute: string, ...values: string[]];
export type ReadAttribute = { readonly oid: string; readonly value: string | undefined; readonly der: Uint8Array };
export declare function nameDer(attributes: readonly NameAttribute[]): Uint8Array;
export declare function readName(der: Uint8Array): readonly (readonly ReadAttribute[])[];
export declare function nameText(der: Uint8Array): string;
