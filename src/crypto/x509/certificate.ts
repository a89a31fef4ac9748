import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import { DerReader, unsigned } from '../der/reader.ts';
import { readPublicKeyIfUsable } from '../public-key.ts';
import type { PublicKey } from '../signer.ts';
import {
  type BasicConstraints,
  type Extension,
  extensionOids,
  type KeyUsage,
  readAuthorityKeyId,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectKeyId,
} from './extensions.ts';
import { type AlternativeNames, noNames, readAlternativeNames } from './general-names.ts';
import { readName } from './name.ts';
import { type NameConstraints, readNameConstraints } from './name-constraints.ts';

export type { BasicConstraints, Extension, KeyUsage } from './extensions.ts';

/** An X.509 certificate (RFC 5280 §4.1), well formed; nothing else was checked. Its bytes are its own: nobody changes them. */
export type Certificate = AlternativeNames & {
  readonly der: Uint8Array;
  /** The TBSCertificate: what is signed. */
  readonly tbs: Uint8Array;
  readonly version: 1 | 2 | 3;
  /** Not negative. */
  readonly serialNumber: bigint;
  /** DER of the Name. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
  /** undefined: of a kind that we do not use. */
  readonly publicKey: PublicKey | undefined;
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  /** OIDs. */
  readonly extendedKeyUsage?: readonly string[];
  readonly subjectKeyId?: Uint8Array;
  readonly authorityKeyId?: Uint8Array;
  readonly nameConstraints?: NameConstraints;
  readonly extensions: readonly Extension[];
  /** OIDs of what the issuer wants understood and we do not; a chain with one is refused. */
  readonly unhandledCriticalExtensions: readonly string[];
  /** DER of the AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
};

/** Far above any that is in use: a 4 kB key, some hundred names. */
export const MAX_CERTIFICATE_BYTES = 128 * 1024;

/** RFC 5280 §4.1.2.2 allows 20 bytes and a sign; Go takes more, and so do we within reason. */
const MAX_SERIAL_BYTES = 64;

/** Reads one certificate. Throws 'invalid'. */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new Fault('invalid', 'x509: certificate too large');
  return inGoWords(() => {
    const own = new Uint8Array(der);
    const outer = DerReader.over(own);
    const certificate = outer.sequence((s) => readSigned(own, s));
    if (!outer.atEnd) throw new Fault('invalid', 'x509: trailing data');
    return certificate;
  });
}

/** Reads certificates one after another, as the Workload API carries them. Throws 'invalid'. */
export const parseCertificates = (concatenatedDer: Uint8Array): Certificate[] =>
  inGoWords(() => DerReader.over(concatenatedDer).many((r) => r.element())).map(parseCertificate);

function inGoWords<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (reasonOf(error).startsWith('x509: ')) throw error;
    throw wrapFault('x509: malformed certificate', error);
  }
}

function readSigned(der: Uint8Array, r: DerReader): Certificate {
  const tbs = r.element(0x30);
  const signatureAlgorithm = r.element(0x30);
  const signature = r.bitString();
  const content = DerReader.over(tbs).sequence((s) => readTbs(s, signatureAlgorithm));
  return { der, tbs, ...content, signatureAlgorithm, signature };
}

type Tbs = Omit<Certificate, 'der' | 'tbs' | 'signatureAlgorithm' | 'signature'>;

/** TBSCertificate, in its order. */
function readTbs(r: DerReader, outerAlgorithm: Uint8Array): Tbs {
  const version = readVersion(r);
  const serialNumber = readSerialNumber(r);
  if (Buffer.compare(r.element(0x30), outerAlgorithm) !== 0) {
    throw new Fault('invalid', "x509: inner and outer signature algorithm identifiers don't match");
  }
  const issuer = readNameDer(r);
  const [notBefore, notAfter] = r.sequence((s) => [s.time(), s.time()] as const);
  const subject = readNameDer(r);
  const spki = r.element(0x30);
  r.implicit(1); // Unique identifiers, which RFC 5280 §4.1.2.8 leaves to history.
  r.implicit(2);
  const extensions = (version === 3 ? r.explicit(3, readExtensions) : undefined) ?? [];
  return {
    version,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    publicKey: readPublicKeyIfUsable(spki),
    ...noNames,
    ...readKnownExtensions(extensions),
    extensions,
  };
}

function readVersion(r: DerReader): 1 | 2 | 3 {
  const number = r.explicit(0, (v) => v.smallInteger()) ?? 0;
  if (number > 2) throw new Fault('invalid', 'x509: invalid version');
  return number === 0 ? 1 : number === 1 ? 2 : 3;
}

/** Zero breaks RFC 5280 §4.1.2.2, but roots that have it are in use and Go takes them. */
function readSerialNumber(r: DerReader): bigint {
  const bytes = r.integerBytes();
  if ((bytes[0] ?? 0) >= 0x80) throw new Fault('invalid', 'x509: negative serial number');
  if (bytes.length > MAX_SERIAL_BYTES) throw new Fault('invalid', 'x509: serial number too large');
  return unsigned(bytes);
}

function readNameDer(r: DerReader): Uint8Array {
  const der = r.element(0x30);
  readName(der);
  return der;
}

type Known = Partial<
  Pick<
    Certificate,
    | keyof AlternativeNames
    | 'basicConstraints'
    | 'keyUsage'
    | 'extendedKeyUsage'
    | 'subjectKeyId'
    | 'authorityKeyId'
    | 'nameConstraints'
  >
>;

/** What an extension says, and whether all of it was understood. */
type ReadExtension = (value: Uint8Array) => Known & { readonly partly?: boolean };

const understood: ReadExtension = () => ({});

/** What we understand. Of the last three nothing follows for a chain, so that they may be critical, as in Go. */
const readers: Readonly<Record<string, ReadExtension>> = {
  [extensionOids.basicConstraints]: (value) => ({ basicConstraints: readBasicConstraints(value) }),
  [extensionOids.keyUsage]: (value) => ({ keyUsage: readKeyUsage(value) }),
  [extensionOids.extendedKeyUsage]: (value) => ({ extendedKeyUsage: readExtendedKeyUsage(value) }),
  [extensionOids.subjectKeyId]: (value) => ({ subjectKeyId: readSubjectKeyId(value) }),
  [extensionOids.authorityKeyId]: (value) => {
    const authorityKeyId = readAuthorityKeyId(value);
    return authorityKeyId === undefined ? {} : { authorityKeyId };
  },
  [extensionOids.subjectAltName]: (value) => {
    const names = readAlternativeNames(value);
    return { ...names, partly: Object.values(names).every((list) => list.length === 0) };
  },
  [extensionOids.nameConstraints]: (value) => {
    const nameConstraints = readNameConstraints(value);
    return { nameConstraints, partly: nameConstraints.hasOtherKinds };
  },
  [extensionOids.crlDistributionPoints]: understood,
  [extensionOids.certificatePolicies]: understood,
  [extensionOids.authorityInfoAccess]: understood,
};

function readKnownExtensions(
  extensions: readonly Extension[],
): Known & Pick<Certificate, 'unhandledCriticalExtensions'> {
  const known: Known = {};
  const unhandledCriticalExtensions: string[] = [];
  for (const { oid, critical, value } of extensions) {
    const read = Object.hasOwn(readers, oid) ? readers[oid] : undefined;
    const { partly = read === undefined, ...found } = read?.(value) ?? {};
    Object.assign(known, found);
    if (critical && partly) unhandledCriticalExtensions.push(oid);
  }
  return { ...known, unhandledCriticalExtensions };
}
