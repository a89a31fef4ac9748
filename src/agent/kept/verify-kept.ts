import { Fault, reasonOf } from '../../base/fault.ts';
import { readPrivateKey } from '../../crypto/keys.ts';
import { parseCertificates } from '../../crypto/x509/certificate.ts';
import type { Log } from '../../ops/log.ts';
import type { Bundle, X509Authority } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../spiffe/x509-svid.ts';
import type { AuthorizedEntry } from '../authorized-entry.ts';
import type { X509Svid } from '../cache/workload-update.ts';
import type { Kept, KeptSvid } from './kept-format.ts';

export type VerifiedKept = {
  /** Each has its SVID. */
  readonly entries: readonly AuthorizedEntry[];
  readonly bundles: readonly Bundle[];
  readonly svids: ReadonlyMap<AuthorizedEntry, X509Svid>;
};

export type VerifyKeptDeps = {
  readonly trustDomain: TrustDomain;
  /** The X.509 authorities (DER) that the agent itself has stored: its word is the newer one. */
  readonly authorities: readonly Uint8Array[];
  readonly atUnixSeconds: number;
  readonly log: Log;
};

/**
 * What of that may be served now: SVIDs that have not expired, of authorities that are trusted and not tainted, for the
 * entry that they were made for, with the key that they name. What is left out is told. A file of former days, put back
 * from a backup, brings no authority back that was revoked since.
 */
export async function verifyKept(
  kept: Kept,
  { trustDomain, authorities, atUnixSeconds, log }: VerifyKeptDeps,
): Promise<VerifiedKept> {
  const former = kept.bundles.find((bundle) => bundle.trustDomain.equals(trustDomain));
  if (former === undefined) throw new Fault('invalid', 'no bundle of the own trust domain');
  const own = { ...former, x509Authorities: authorities.map(withTaintOf(former)) };
  const trusted = {
    ...own,
    x509Authorities: own.x509Authorities.filter(({ tainted }) => !tainted),
  };
  const byId = new Map(kept.entries.map((entry) => [entry.id, entry]));
  const svids = new Map<AuthorizedEntry, X509Svid>();
  for (const svid of kept.svids) {
    const entry = byId.get(svid.entryId);
    try {
      if (entry === undefined) throw new Fault('invalid', 'there is no such entry');
      svids.set(entry, await verifySvid(svid, entry, trusted, atUnixSeconds));
    } catch (error) {
      log.warn('An SVID that was kept on disk is not served', {
        entry: svid.entryId,
        error: reasonOf(error),
      });
    }
  }
  const others = kept.bundles.filter((bundle) => bundle !== former);
  return { entries: [...svids.keys()], bundles: [own, ...others], svids };
}

const withTaintOf =
  ({ x509Authorities }: Bundle) =>
  (der: Uint8Array): X509Authority => ({
    der,
    tainted: x509Authorities.some((one) => one.tainted && Buffer.compare(one.der, der) === 0),
  });

async function verifySvid(
  { revisionNumber, createdAt, chain, privateKey }: KeptSvid,
  entry: AuthorizedEntry,
  bundle: Bundle,
  atUnixSeconds: number,
): Promise<X509Svid> {
  if (entry.storeSvid) throw new Fault('invalid', 'the entry is not for workloads');
  if (entry.revisionNumber !== revisionNumber || entry.createdAt !== createdAt) {
    throw new Fault('invalid', 'it was made for another revision of the entry');
  }
  const certificates = parseCertificates(chain);
  const [leaf] = certificates;
  if (leaf === undefined) throw new Fault('invalid', 'empty SVID cert chain');
  const { id } = await verifyX509Svid(
    certificates.map(({ der }) => der),
    (trustDomain) => (trustDomain.equals(bundle.trustDomain) ? bundle : undefined),
    atUnixSeconds,
  );
  if (!id.equals(entry.spiffeId)) throw new Fault('invalid', `it names "${id.toString()}"`);
  const { publicKey } = readPrivateKey(privateKey);
  if (Buffer.compare(publicKey.spki, leaf.spki) !== 0) {
    throw new Fault('invalid', 'the key is not that of the certificate');
  }
  return { chain, privateKey, notBefore: leaf.notBefore, notAfter: leaf.notAfter };
}
