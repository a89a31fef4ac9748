import type { JsonValue } from '@bufbuild/protobuf';
import { readPrivateKey } from '../../../src/crypto/keys.ts';
import { type Certificate, parseCertificates } from '../../../src/crypto/x509/certificate.ts';

type Json = { readonly [name: string]: JsonValue };

/** An answer as the recorded ones are written: certificates, keys, tokens and key sets become marks (README). */
export const marked = (answer: JsonValue): JsonValue => mark(answer, '');

/** `name` is that of the member which holds the value. */
function mark(value: JsonValue, name: string): JsonValue {
  if (Array.isArray(value)) return value.map((item) => mark(item, name));
  if (typeof value !== 'object' || value === null) return value;
  const { x509Svid } = value;
  const beside = typeof x509Svid === 'string' ? chain(x509Svid) : [];
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
  if (typeof value !== 'string')
    return name === 'claims' ? markClaims(value as Json) : mark(value, name);
  if (name === 'x509Svid' || name === 'bundle' || parent === 'federatedBundles') {
    return chain(value).map(certificateMark).join('');
  }
  if (name === 'x509SvidKey') return keyMark(value, beside);
  if (name === 'svid') return markToken(value);
  if (parent === 'bundles') return markBundle(value);
  return value;
}

const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64');
const chain = (base64: string): Certificate[] => parseCertificates(bytesOf(base64));

function certificateMark({ uris, dnsNames, basicConstraints }: Certificate): string {
  const kind = basicConstraints?.ca ? 'CA cert' : 'cert';
  return `<${kind} ${uris[0] ?? ''}${dnsNames.map((name) => ` dns ${name}`).join('')}>`;
}

function keyMark(base64: string, beside: readonly Certificate[]): string {
  const { publicKey } = readPrivateKey(bytesOf(base64));
  const fits = beside.some(({ spki }) => Buffer.compare(spki, publicKey.spki) === 0);
  const kind = publicKey.kind === 'ec-p256' ? 'EC P-256' : publicKey.kind;
  return fits ? `<key ${kind}>` : `<key ${kind}, fits no certificate>`;
}

/** DER of authorities, or a JWK set. */
function markBundle(base64: string): JsonValue {
  const text = bytesOf(base64).toString();
  if (!text.startsWith('{')) return chain(base64).map(certificateMark).join('');
  const { keys } = JSON.parse(text) as { keys: Json[] };
  const marks: Json = { kid: '<kid>', x: '<x>', y: '<y>' };
  return {
    keys: keys.map((key) =>
      Object.fromEntries(Object.entries(key).map(([name, value]) => [name, marks[name] ?? value])),
    ),
  };
}

function markToken(token: string): JsonValue {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json);
  return { claims: markClaims(claims ?? {}), header: { ...header, kid: '<kid>' } };
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
