import { Fault } from '../base/fault.ts';
import { DerReader, readWhole } from './der/reader.ts';
import { bitString, type Der, explicit, integer, oid, sequence, setOf } from './der/writer.ts';
import { readPublicKey } from './public-key.ts';
import type { PublicKey, Signer } from './signer.ts';
import { checkSignature, signingAlgorithmOf } from './x509/algorithms.ts';
import { type Extension, extension, extensionOids, readExtensions } from './x509/extensions.ts';
import {
  type AlternativeNames,
  alternativeNames,
  noNames,
  readAlternativeNames,
} from './x509/general-names.ts';
import { nameDer, readName } from './x509/name.ts';

/** A PKCS#10 certification request (RFC 2986), well formed; its signature is `verifyCsr`'s to check. */
export type CertificateRequest = AlternativeNames & {
  readonly der: Uint8Array;
  /** The CertificationRequestInfo: what is signed. */
  readonly info: Uint8Array;
  /** DER of the Name. */
  readonly subject: Uint8Array;
  readonly publicKey: PublicKey;
  /** Those asked for (RFC 2985 §5.4.2). */
  readonly extensions: readonly Extension[];
  /** DER of the AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array;
  readonly signature: Uint8Array;
};

export type CsrContent = {
  /** DER of the Name; undefined: an empty one. */
  readonly subject?: Uint8Array | undefined;
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
};

/** As for certificates: far above any that is in use. */
const MAX_CSR_BYTES = 128 * 1024;

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

/** Reads a request. Throws 'invalid' if it is malformed, or for a key that we do not use. */
export function parseCsr(der: Uint8Array): CertificateRequest {
  if (der.length > MAX_CSR_BYTES) throw new Fault('invalid', 'x509: certificate request too large');
  const own = new Uint8Array(der);
  return readWhole(own, (r) =>
    r.sequence((s) => {
      const info = s.element(0x30);
      const signatureAlgorithm = s.element(0x30);
      const signature = s.bitString();
      const content = DerReader.over(info).sequence(readInfo);
      return { der: own, info, ...content, signatureAlgorithm, signature };
    }),
  );
}

/** Throws 'invalid' unless the request is signed by the key that it is about. */
export async function verifyCsr(csr: CertificateRequest): Promise<void> {
  const { info: message, signatureAlgorithm: algorithm, signature } = csr;
  await checkSignature({ message, algorithm, signature }, csr.publicKey, 'once');
}

/** Makes and signs a request as Go does: version 1, names in a requested SubjectAltName. */
export async function buildCsr(content: CsrContent, signer: Signer): Promise<Uint8Array> {
  const info = sequence(
    integer(0),
    content.subject ?? EMPTY_NAME,
    signer.publicKey.spki,
    explicit(0, requestedNames(content)),
  );
  const algorithm = signingAlgorithmOf(signer.publicKey);
  const signature = await signer.sign(info, algorithm.hash);
  return sequence(info, algorithm.der, bitString(signature));
}

const EMPTY_NAME = nameDer([]);

function requestedNames(content: CsrContent): Der | undefined {
  if (content.dnsNames.length + content.uris.length === 0) return undefined;
  const names = extension('subjectAltName', false, alternativeNames(content));
  return sequence(oid(EXTENSION_REQUEST), setOf([sequence(names)]));
}

type Info = Omit<CertificateRequest, 'der' | 'info' | 'signatureAlgorithm' | 'signature'>;

/** CertificationRequestInfo (RFC 2986 §4.1). */
function readInfo(r: DerReader): Info {
  const version = r.smallInteger();
  if (version !== 0) throw new Fault('invalid', 'x509: certificate request of an unknown version');
  const subject = r.element(0x30);
  readName(subject);
  const publicKey = readPublicKey(r.element(0x30));
  const extensions = r.constructed(0xa0, readAttributes);
  const names = extensions.find(({ oid }) => oid === extensionOids.subjectAltName);
  return {
    subject,
    publicKey,
    ...(names === undefined ? noNames : readAlternativeNames(names.value)),
    extensions,
  };
}

/** Attributes; only the requested extensions are read. */
function readAttributes(r: DerReader): readonly Extension[] {
  const seen = new Set<string>();
  let extensions: readonly Extension[] = [];
  while (!r.atEnd) {
    r.sequence((attribute) => {
      const type = attribute.oid();
      if (seen.has(type)) {
        throw new Fault(
          'invalid',
          'x509: certificate request contains duplicate requested attributes',
        );
      }
      seen.add(type);
      if (type === EXTENSION_REQUEST) extensions = attribute.set(readExtensions);
      else attribute.element(0x31);
    });
  }
  return extensions;
}
