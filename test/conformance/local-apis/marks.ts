import { X509Certificate } from 'node:crypto';
import type { JsonValue } from '@bufbuild/protobuf';
import { readPrivateKey } from '../../../src/crypto/keys.ts';
import { readPem } from '../../../src/crypto/pem.ts';
import { type Certificate, parseCertificates } from '../../../src/crypto/x509/certificate.ts';

type Json = { readonly [name: string]: JsonValue };

/** What answers are held against. */
export type Authorities = {
  /** DER, of the own trust domain and of those that it knows. */
  readonly certificates: readonly Uint8Array[];
  /** Of the own trust domain's JWT authorities. */
  readonly keyIds: readonly string[];
};

/**
 * An answer as the recorded ones are written: certificates, keys, tokens and key sets become marks (README). What does
 * not verify says so inside its mark.
 */
export function marked(answer: JsonValue, authorities: Authorities): JsonValue {
  const { certificateMark, keyIdMark } = marksFor(authorities);
  const nonces = numbered(answer, 'nonce');
  const versions = numbered(answer, 'version');
  return mark(answer, '', []);

  /** `name` is that of the member which holds the value; `outside` are certificates that stand around it. */
  function mark(value: JsonValue, name: string, outside: readonly Certificate[]): JsonValue {
    if (Array.isArray(value)) return value.map((item) => mark(item, name, outside));
    if (typeof value !== 'object' || value === null) return value;
    const own = besideIn(value);
    const beside = own.length > 0 ? own : outside;
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, member]) => [key, markMember(key, member, name, beside)] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  /** `beside` are the certificates that stand next to a key. */
  function markMember(
    name: string,
    value: JsonValue,
    parent: string,
    beside: readonly Certificate[],
  ): JsonValue {
    if (name === 'certChain') return (value as string[]).map(markChain);
    if (TIMES.has(name)) return '<time>';
    if (typeof value !== 'string')
      return name === 'claims' ? markClaims(value as Json) : mark(value, name, beside);
    if (name === 'x509Svid' || name === 'bundle' || CERTIFICATE_MAPS.has(parent)) {
      return markChain(value);
    }
    if (name === 'nonce') return `<nonce ${nonces.indexOf(value) + 1}>`;
    if (name === 'versionInfo') return `<version ${versions.indexOf(value) + 1}>`;
    if (name === 'inlineBytes') return markPem(value, beside);
    if (name === 'x509SvidKey') return keyMark(value, beside);
    if (name === 'svid' || name === 'token') return markToken(value);
    if (name === 'subject') return value.replace(/SERIALNUMBER=\d+/, 'SERIALNUMBER=<serial>');
    if (parent === 'bundles') return markBundle(value);
    return value;
  }

  function markChain(base64: string): string {
    return chain(base64).map(certificateMark).join('');
  }

  /** DER of authorities, or a JWK set. */
  function markBundle(base64: string): JsonValue {
    const text = bytesOf(base64).toString();
    if (!text.startsWith('{')) return markChain(base64);
    const { keys } = JSON.parse(text) as { keys: Json[] };
    return {
      keys: keys.map((key) => ({
        ...key,
        kid: keyIdMark(key['kid']),
        ...('x' in key && { x: '<x>', y: '<y>' }),
      })),
    };
  }

  function markPem(base64: string, beside: readonly Certificate[]): string {
    const blocks = readPem(bytesOf(base64)).map(({ type, der }) => {
      const content = Buffer.from(der).toString('base64');
      const isKey = type === 'PRIVATE KEY';
      return `${type} ${isKey ? keyMark(content, beside) : chain(content).map(certificateMark).join('')}`;
    });
    return `PEM ${blocks.join('')}`;
  }

  function markToken(token: string): JsonValue {
    const [header, claims] = token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json);
    return {
      claims: markClaims(claims ?? {}),
      header: { ...header, kid: keyIdMark(header?.['kid']) },
    };
  }
}

/** Members of answers that tell a time. */
const TIMES: ReadonlySet<string> = new Set(['expiresAt', 'issuedAt', 'lastSyncSuccess', 'uptime']);
/** Members whose own members hold certificates, by trust domain. */
const CERTIFICATE_MAPS: ReadonlySet<string> = new Set(['federatedBundles', 'caCertificates']);

/** The different values of a member in the order in which they came. */
export function numbered(answer: JsonValue, name: 'nonce' | 'version'): string[] {
  const key = name === 'version' ? 'versionInfo' : name;
  const found = new Set<string>();
  JSON.stringify(answer, (member: string, value: JsonValue) => {
    if (member === key && typeof value === 'string') found.add(value);
    return value;
  });
  return [...found];
}

/** The certificates that a key beside them is to fit. */
function besideIn(value: Json): readonly Certificate[] {
  const { x509Svid, certificateChain } = value;
  if (typeof x509Svid === 'string') return chain(x509Svid);
  const certChain = (x509Svid as Json | undefined)?.['certChain'];
  if (Array.isArray(certChain)) return certChain.flatMap((one) => chain(one as string));
  const inline = (certificateChain as Json | undefined)?.['inlineBytes'];
  if (typeof inline !== 'string') return [];
  return readPem(bytesOf(inline)).flatMap(({ der }) => parseCertificates(der));
}

function marksFor({ certificates, keyIds }: Authorities) {
  // Node's own reader, so that ours is not its own judge.
  const roots = certificates.map((der) => new X509Certificate(der));
  return {
    certificateMark: ({ der, uris, dnsNames, basicConstraints }: Certificate): string => {
      const kind = basicConstraints?.ca ? 'CA cert' : 'cert';
      const certificate = new X509Certificate(der);
      const known = certificate.ca
        ? roots.some((root) => root.raw.equals(certificate.raw))
        : roots.some((root) => certificate.checkIssued(root) && certificate.verify(root.publicKey));
      const names = `${uris[0] ?? ''}${dnsNames.map((name) => ` dns ${name}`).join('')}`;
      return `<${kind} ${names}${known ? '' : ', verified by nobody'}>`;
    },
    keyIdMark: (keyId: JsonValue | undefined) =>
      keyIds.some((known) => known === keyId)
        ? '<kid>'
        : `<kid ${JSON.stringify(keyId)} of nobody>`,
  };
}

const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');
const chain = (base64: string): Certificate[] => parseCertificates(bytesOf(base64));

function keyMark(base64: string, beside: readonly Certificate[]): string {
  const { publicKey } = readPrivateKey(bytesOf(base64));
  const fits = beside.some(({ spki }) => Buffer.compare(spki, publicKey.spki) === 0);
  const kind = publicKey.kind === 'ec-p256' ? 'EC P-256' : publicKey.kind;
  return fits ? `<key ${kind}>` : `<key ${kind}, fits no certificate>`;
}

function markClaims(claims: Json): JsonValue {
  const { exp, iat } = claims;
  const exact = typeof exp === 'number' && typeof iat === 'number';
  return {
    ...claims,
    ...(exact && { exp: `<iat + ${exp - iat}>` }),
    ...(iat !== undefined && { iat: '<time>' }),
  };
}
