import { Fault } from '../../base/fault.ts';
import { type DerReader, readWhole } from '../der/reader.ts';
import {
  boolean,
  type Der,
  explicit,
  implicit,
  integer,
  namedBits,
  octetString,
  oid,
  sequence,
} from '../der/writer.ts';

export const extensionOids = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
} as const;

/** ExtKeyUsage purposes (RFC 5280 §4.2.1.12). */
export const extendedKeyUsages = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** In the order of their bits (RFC 5280 §4.2.1.3). */
const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof keyUsages)[number];

export type BasicConstraints = { readonly ca: boolean; readonly pathLength?: number };

export type Extension = {
  readonly oid: string;
  readonly critical: boolean;
  /** What the OCTET STRING holds. */
  readonly value: Uint8Array;
};

/** Extensions (RFC 5280 §4.1.2.9): each kind once at most. */
export function readExtensions(r: DerReader): Extension[] {
  const extensions = r.sequence((list) => list.many((one) => one.sequence(readExtension)));
  const seen = new Set<string>();
  for (const { oid } of extensions) {
    if (seen.has(oid)) {
      throw new Fault(
        'invalid',
        `x509: certificate contains duplicate extension with OID "${oid}"`,
      );
    }
    seen.add(oid);
  }
  return extensions;
}

/** `critical` is FALSE by default; a FALSE that is written, which DER forbids, is let pass, as Go does. */
const readExtension = (r: DerReader): Extension => ({
  oid: r.oid(),
  critical: r.nextTag === 0x01 && r.boolean(),
  value: r.octetString(),
});

export const extension = (kind: keyof typeof extensionOids, critical: boolean, value: Der): Der =>
  sequence(extensionTypes[kind], critical && boolean(true), octetString(value));

/** One that was read, as it was. */
export const extensionAsRead = ({ oid: type, critical, value }: Extension): Der =>
  sequence(oid(type), critical && boolean(true), octetString(value));

const extensionTypes = Object.fromEntries(
  Object.entries(extensionOids).map(([kind, text]) => [kind, oid(text)]),
) as Record<keyof typeof extensionOids, Der>;

/** BasicConstraints (RFC 5280 §4.2.1.9). DER leaves out a field that has its default value. */
export const basicConstraints = ({ ca, pathLength }: BasicConstraints): Der =>
  sequence(ca && boolean(true), pathLength !== undefined && integer(pathLength));

export const readBasicConstraints = (value: Uint8Array): BasicConstraints =>
  readWhole(value, (r) =>
    r.sequence((s) => {
      const ca = s.nextTag === 0x01 && s.boolean();
      return s.atEnd ? { ca } : { ca, pathLength: s.smallInteger() };
    }),
  );

export const keyUsage = (usages: Iterable<KeyUsage>): Der =>
  namedBits(Array.from(usages, (usage) => keyUsages.indexOf(usage)));

/** Bits beyond the ninth mean nothing and are skipped. */
export function readKeyUsage(value: Uint8Array): ReadonlySet<KeyUsage> {
  const { bytes } = readWhole(value, (r) => r.bits());
  return new Set(
    keyUsages.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0),
  );
}

export const extendedKeyUsage = (purposes: readonly string[]): Der =>
  sequence(...purposes.map((purpose) => purposeOids.get(purpose) ?? oid(purpose)));

const purposeOids: ReadonlyMap<string, Der> = new Map(
  Object.values(extendedKeyUsages).map((purpose) => [purpose, oid(purpose)]),
);

/** ExtKeyUsageSyntax: SIZE (1..MAX). */
export function readExtendedKeyUsage(value: Uint8Array): readonly string[] {
  const purposes = readWhole(value, (r) => r.sequence((s) => s.many((one) => one.oid())));
  if (purposes.length === 0) throw new Fault('invalid', 'x509: invalid extended key usages');
  return purposes;
}

export const subjectKeyIdentifier = (keyId: Uint8Array): Der => octetString(keyId);

export const readSubjectKeyId = (value: Uint8Array): Uint8Array =>
  readWhole(value, (r) => r.octetString());

/** AuthorityKeyIdentifier (RFC 5280 §4.2.1.1), the key identifier only. */
export const authorityKeyIdentifier = (keyId: Uint8Array): Der => sequence(implicit(0, keyId));

/** Its key identifier; undefined if it names the issuer in another way. */
export const readAuthorityKeyId = (value: Uint8Array): Uint8Array | undefined =>
  readWhole(value, (r) =>
    r.sequence((s) => {
      const keyId = s.implicit(0);
      s.many((rest) => rest.element());
      return keyId;
    }),
  );

/** `[3] EXPLICIT Extensions` of a certificate. */
export const extensionsField = (extensions: readonly Der[]): Der | undefined =>
  extensions.length === 0 ? undefined : explicit(3, sequence(...extensions));
