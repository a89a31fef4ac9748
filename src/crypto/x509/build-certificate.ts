import { randomBytes } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { unsigned } from '../der/reader.ts';
import {
  bitString,
  type Der,
  type DerPart,
  explicit,
  integer,
  sequence,
  time,
} from '../der/writer.ts';
import type { Signer } from '../signer.ts';
import { signingAlgorithmOf } from './algorithms.ts';
import {
  authorityKeyIdentifier,
  type BasicConstraints,
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  extension,
  extensionAsRead,
  extensionOids,
  extensionsField,
  type KeyUsage,
  keyUsage,
  subjectKeyIdentifier,
} from './extensions.ts';
import { alternativeNames } from './general-names.ts';

export { extendedKeyUsages } from './extensions.ts';

/** What a certificate says. What is left out or empty is not written. */
export type CertificateTemplate = {
  /** Above zero. */
  readonly serialNumber: bigint;
  /** DER of the Name. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  readonly keyUsage: readonly KeyUsage[];
  /** OIDs; `extendedKeyUsages` names them. */
  readonly extendedKeyUsage?: readonly string[] | undefined;
  readonly basicConstraints?: BasicConstraints | undefined;
  readonly subjectKeyId?: Uint8Array | undefined;
  readonly authorityKeyId?: Uint8Array | undefined;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** Written last, as they are; one of a kind that the template gives too takes its place. */
  readonly extraExtensions?: readonly Extension[] | undefined;
};

/**
 * Makes and signs a version 3 certificate in the layout of SPIRE's (`reference/server.md` §7.1): the same template gives
 * the same bytes under the signature. Throws 'invalid' for what cannot be written, and what the signer throws.
 */
export async function buildCertificate(
  template: CertificateTemplate,
  signer: Signer,
): Promise<Uint8Array> {
  const algorithm = signingAlgorithmOf(signer.publicKey);
  const tbs = tbsCertificate(template, algorithm.der);
  const signature = await signer.sign(tbs, algorithm.hash);
  return sequence(tbs, algorithm.der, bitString(signature));
}

/** A random number in [1, 2¹²⁸ - 1]. */
export function randomSerialNumber(): bigint {
  const number = unsigned(randomBytes(16));
  return number === 0n ? randomSerialNumber() : number;
}

/** The TBSCertificate (RFC 5280 §4.1.2). */
export function tbsCertificate(template: CertificateTemplate, algorithm: Der): Der {
  if (template.serialNumber <= 0n)
    throw new Fault('invalid', 'x509: serial number must be positive');
  return sequence(
    VERSION_3,
    integer(template.serialNumber),
    algorithm,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.publicKey,
    extensionsField(extensionsOf(template)),
  );
}

const VERSION_3 = explicit(0, integer(2));

function extensionsOf(template: CertificateTemplate): readonly Der[] {
  const { extraExtensions = [] } = template;
  const replaced = new Set(extraExtensions.map(({ oid }) => oid));
  const own = ownExtensions(template).flatMap(([kind, der]) =>
    der instanceof Uint8Array && !replaced.has(extensionOids[kind]) ? [der] : [],
  );
  return [...own, ...extraExtensions.map(extensionAsRead)];
}

/** In SPIRE's order. SubjectAltName is critical only beside an empty subject (RFC 5280 §4.2.1.6). */
function ownExtensions(
  template: CertificateTemplate,
): readonly (readonly [kind: keyof typeof extensionOids, der: DerPart])[] {
  const { subjectKeyId, authorityKeyId } = template;
  const purposes = template.extendedKeyUsage ?? [];
  const isNamed = template.dnsNames.length + template.uris.length > 0;
  const hasSubject = template.subject.length > EMPTY_NAME_LENGTH;
  return [
    ['keyUsage', template.keyUsage.length > 0 && keyUsageExtension(template.keyUsage)],
    ['extendedKeyUsage', purposes.length > 0 && extendedKeyUsageExtension(purposes)],
    [
      'basicConstraints',
      template.basicConstraints && basicConstraintsExtension(template.basicConstraints),
    ],
    [
      'subjectKeyId',
      subjectKeyId && extension('subjectKeyId', false, subjectKeyIdentifier(subjectKeyId)),
    ],
    [
      'authorityKeyId',
      authorityKeyId && extension('authorityKeyId', false, authorityKeyIdentifier(authorityKeyId)),
    ],
    [
      'subjectAltName',
      isNamed && extension('subjectAltName', !hasSubject, alternativeNames(template)),
    ],
  ];
}

/** What a profile gives is the same object in all its templates: encoded once. */
function oncePerValue<Value extends object>(encode: (value: Value) => Der): (value: Value) => Der {
  const known = new WeakMap<Value, Der>();
  return (value) => {
    const encoded = known.get(value) ?? encode(value);
    known.set(value, encoded);
    return encoded;
  };
}

const keyUsageExtension = oncePerValue((usages: readonly KeyUsage[]) =>
  extension('keyUsage', true, keyUsage(usages)),
);
const extendedKeyUsageExtension = oncePerValue((purposes: readonly string[]) =>
  extension('extendedKeyUsage', false, extendedKeyUsage(purposes)),
);
const basicConstraintsExtension = oncePerValue((constraints: BasicConstraints) =>
  extension('basicConstraints', true, basicConstraints(constraints)),
);

/** `30 00` */
const EMPTY_NAME_LENGTH = 2;
