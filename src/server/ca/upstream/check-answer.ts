import { Fault, wrapFault } from '../../../base/fault.ts';
import { MAX_CHAIN_CERTIFICATES } from '../../../base/presented-chain.ts';
import { readPublicKey } from '../../../crypto/keys.ts';
import {
  type Certificate,
  parseCertificate,
  parseCertificates,
} from '../../../crypto/x509/certificate.ts';
import type { LocalBundle, MintedX509Ca } from '../../../plugins/upstream-authority/contract.ts';
import type { KeyAuthority, X509Authority } from '../../../spiffe/bundle.ts';

/** Whoever is shown the chain gets a leaf with it. */
const MAX_CHAIN_LENGTH = MAX_CHAIN_CERTIFICATES - 1;
/** Far more than any trust domain has, and few enough to be sent to every workload. */
const MAX_ROOTS = 500;
/** Two keys for each of thousands of servers. */
const MAX_JWT_KEYS = 10_000;

export type MintAnswer = {
  /** The new CA first. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly roots: readonly X509Authority[];
};

/*
 * What an upstream authority answers is well formed and of bearable size before anything looks at it
 * (`reference/plugin-protocol.md` §13). These throw 'internal' in SPIRE's words.
 */

export function checkMinted({ x509CaChain, upstreamRoots }: MintedX509Ca): MintAnswer {
  checkCount('certificates in its X.509 CA chain', x509CaChain.length, MAX_CHAIN_LENGTH);
  const [ca, ...above] = parsed('plugin response has malformed X.509 CA chain', () =>
    x509CaChain.map(parseCertificate),
  );
  if (ca === undefined) throw internal('plugin response missing X.509 CA chain');
  return { chain: [ca, ...above], roots: checkRoots(upstreamRoots) };
}

/** Each its own certificate, and none twice. */
export function checkRoots(roots: readonly X509Authority[]): readonly X509Authority[] {
  checkCount('upstream X.509 roots', roots.length, MAX_ROOTS);
  if (roots.length === 0) throw internal('plugin response missing upstream X.509 roots');
  const known = new Map<string, X509Authority>();
  parsed('plugin response has malformed upstream X.509 roots', () => {
    for (const { der, tainted } of roots) {
      const [certificate, ...others] = parseCertificates(der);
      if (certificate === undefined || others.length > 0) {
        throw new Fault(
          'invalid',
          `expected one certificate; got ${others.length + (certificate ? 1 : 0)}`,
        );
      }
      const name = Buffer.from(certificate.der).toString('base64');
      // Whoever says both means the worse.
      known.set(name, {
        der: certificate.der,
        tainted: tainted || (known.get(name)?.tainted ?? false),
      });
    }
  });
  return [...known.values()];
}

export function checkJwtKeys(keys: readonly KeyAuthority[]): readonly KeyAuthority[] {
  checkCount('JWT keys', keys.length, MAX_JWT_KEYS);
  parsed('invalid plugin response', () => {
    for (const { keyId, publicKey } of keys) {
      if (keyId === '') throw new Fault('invalid', 'missing key ID for JWT key');
      readPublicKey(publicKey);
    }
  });
  return keys;
}

export const checkLocalBundle = ({ x509Authorities, jwtKeys }: LocalBundle): LocalBundle => ({
  x509Authorities: checkRoots(x509Authorities),
  jwtKeys: checkJwtKeys(jwtKeys),
});

function checkCount(what: string, count: number, limit: number): void {
  if (count > limit)
    throw internal(`plugin response has ${count} ${what}; no more than ${limit} are taken`);
}

function parsed<T>(failure: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw wrapFault(failure, error, 'internal');
  }
}

const internal = (message: string): Fault => new Fault('internal', message);
