import type { Certificate } from '../../../crypto/x509/certificate.ts';
import type { Log } from '../../../ops/log.ts';
import { readSubject } from '../../../spiffe/subject.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { fingerprint } from './proof.ts';

/**
 * What the certificate and those above it say of the node (`reference/node-attestation.md` §4.5). `authorities`: every
 * certificate of every verified chain but the leaf, each once.
 */
export const selectorValues = (
  leaf: Certificate,
  authorities: readonly Certificate[],
  trustDomain: TrustDomain,
  log: Log,
): readonly string[] => [
  ...commonName(leaf).map((name) => `subject:cn:${name}`),
  ...authorities.map(({ der }) => `ca:fingerprint:${fingerprint(der)}`),
  `serialnumber:${serialNumberHex(leaf.serialNumber)}`,
  ...[...uriFacts(leaf.uris, trustDomain, log)].map(([key, value]) => `san:${key}:${value}`),
];

const commonName = ({ subject }: Certificate): readonly string[] =>
  (readSubject(subject).CN ?? []).filter((name) => name !== '');

/** Lower-case hex of whole bytes. */
export function serialNumberHex(serialNumber: bigint): string {
  const hex = serialNumber.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

/** URI SANs `x509pop://<trust domain>/<key>/<value>`; of one key the last value counts. */
function uriFacts(
  uris: readonly string[],
  trustDomain: TrustDomain,
  log: Log,
): ReadonlyMap<string, string> {
  const prefix = `x509pop://${trustDomain.name}/`;
  const facts = new Map<string, string>();
  for (const uri of uris) {
    if (!uri.startsWith(prefix)) continue;
    const [, key, value] = /^([^/]*)\/(.*)$/s.exec(trimSlashes(decodedPath(uri, prefix))) ?? [];
    if (key === undefined || value === undefined) {
      log.warn(`cannot extract x509pop san selectors from ${uri}`);
    } else {
      facts.set(key, value);
    }
  }
  return facts;
}

/** '' where its escapes are malformed. */
function decodedPath(uri: string, prefix: string): string {
  const path = uri.slice(prefix.length).replace(/[?#].*$/s, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

const trimSlashes = (path: string): string => path.replace(/^\/+/, '').replace(/(?<!\/)\/+$/, '');
