import { Fault, wrapFault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { readPrivateKey } from '../../../crypto/keys.ts';
import { type Certificate, parseCertificates } from '../../../crypto/x509/certificate.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { verifyX509Svid } from '../../../spiffe/x509-svid.ts';
import type { X509SVID, X509SVIDResponse } from '../../../wire/gen/spiffe/workload/workload_pb.ts';
import { compareBytewise } from '../../kit/compare-bytewise.ts';
import { within } from '../../kit/prefixed.ts';

/** What the Workload API says of a workload's X.509 identities, parsed and verified. */
export type X509Update = {
  readonly svids: readonly FetchedSvid[];
  /** By trust domain as received, sorted bytewise. */
  readonly federated: ReadonlyMap<string, readonly Certificate[]>;
};

export type FetchedSvid = {
  readonly id: SpiffeId;
  readonly hint: string;
  /** Leaf first. */
  readonly chain: readonly Certificate[];
  /** PKCS#8, as received. */
  readonly privateKey: Uint8Array;
  readonly bundle: readonly Certificate[];
};

/** Checks an answer as SPIRE's command does, with its words. Throws 'invalid'. */
export async function readX509Update(
  response: X509SVIDResponse,
  atUnixSeconds: number,
): Promise<X509Update> {
  if (response.svids.length === 0) {
    throw new Fault('invalid', 'workload response contains no svids');
  }
  const federated = new Map(
    Object.entries(response.federatedBundles)
      .sort(([a], [b]) => compareBytewise(a, b))
      .map(([domain, der]) => [domain, federatedBundle(domain, der)]),
  );
  const svids = response.svids.map(readSvid);
  for (const svid of svids) await verify(svid, atUnixSeconds);
  return { svids, federated };
}

function federatedBundle(domain: string, der: Uint8Array): readonly Certificate[] {
  const what = `bundle for federated domain ${goQuote(domain)}`;
  const certificates = within(`failed to parse ${what}`, () => parseCertificates(der));
  if (certificates.length === 0) throw new Fault('invalid', `no certificates in ${what}`);
  return certificates;
}

function readSvid(svid: X509SVID, index: number): FetchedSvid {
  const what = `failed to parse svid entry ${index} for spiffe id ${goQuote(svid.spiffeId)}`;
  const parts = within(what, () => {
    const chain = parseCertificates(svid.x509Svid);
    if (chain.length === 0) throw new Fault('invalid', 'no certificates found');
    within('failed to parse private key', () => readPrivateKey(svid.x509SvidKey));
    const bundle = within('failed to parse trust bundle', () => parseCertificates(svid.bundle));
    if (bundle.length === 0) throw new Fault('invalid', 'no certificates in trust bundle');
    return { chain, bundle };
  });
  const { spiffeId, hint, x509SvidKey: privateKey } = svid;
  return { id: SpiffeId.parse(spiffeId), hint, privateKey, ...parts };
}

async function verify({ id, chain, bundle }: FetchedSvid, atUnixSeconds: number): Promise<void> {
  const x509Authorities = bundle.map(({ der }) => ({ der, tainted: false }));
  try {
    await verifyX509Svid(
      chain.map(({ der }) => der),
      (trustDomain) => ({ ...emptyBundle(trustDomain), x509Authorities }),
      atUnixSeconds,
    );
  } catch (error) {
    throw wrapFault(`${goQuote(id.toString())} SVID failed verification against bundle`, error);
  }
}
