import { Fault, reasonOf } from '../base/fault.ts';
import { parseCertificates } from '../crypto/x509/certificate.ts';
import { type Bundle, emptyBundle } from '../spiffe/bundle.ts';
import { readJwtBundle } from '../spiffe/jwt-bundle.ts';
import { type JwtSvid, parseJwtSvidUnverified } from '../spiffe/jwt-svid.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { type X509Svid as ParsedSvid, parseRawX509Svid } from '../spiffe/x509-svid-file.ts';
import type {
  JWTBundlesResponse,
  JWTSVIDResponse,
  X509BundlesResponse,
  X509SVIDResponse,
} from '../wire/gen/spiffe/workload/workload_pb.ts';

/** An X509-SVID with its key. `hint` is the operator's word for what it is meant for; '' for none. */
export type X509Svid = ParsedSvid & { readonly hint: string };

/** What a process is, and whom it can verify. */
export type X509Context = {
  /** At least one; the first is the default. Hints are unique, but for ''. */
  readonly svids: readonly [X509Svid, ...X509Svid[]];
  /** The X.509 bundles of the own trust domain and of those that it federates with. */
  readonly bundles: Bundles;
};

/** Bundles by trust domain. */
export class Bundles implements Iterable<Bundle> {
  readonly #byName: ReadonlyMap<string, Bundle>;

  constructor(bundles: Iterable<Bundle>) {
    this.#byName = new Map(Array.from(bundles, (bundle) => [bundle.trustDomain.name, bundle]));
  }

  /** Of exactly that trust domain. */
  of({ name }: TrustDomain): Bundle | undefined {
    return this.#byName.get(name);
  }

  [Symbol.iterator](): Iterator<Bundle> {
    return this.#byName.values();
  }
}

/** Every SVID must be well-formed, or none is taken. Throws 'internal'. */
export const readX509Context = wellFormed(
  ({ svids, federatedBundles }: X509SVIDResponse): X509Context => {
    const read = svids.map(({ spiffeId, x509Svid, x509SvidKey, hint }) => {
      const svid = parseRawX509Svid(x509Svid, x509SvidKey);
      if (svid.id.toString() !== spiffeId) {
        throw new Fault('invalid', `the SVID of ${spiffeId} is that of ${svid.id.toString()}`);
      }
      return { ...svid, hint };
    });
    const [first, ...others] = withoutDuplicateHints(read);
    if (first === undefined) throw new Fault('invalid', 'no SVIDs in response');
    const own = svids.map(({ bundle }, index) =>
      x509Bundle((read[index] ?? first).id.trustDomain, bundle),
    );
    const federated = Object.entries(federatedBundles).map(([id, der]) =>
      x509Bundle(TrustDomain.parse(id), der),
    );
    return { svids: [first, ...others], bundles: new Bundles([...federated, ...own]) };
  },
);

export const readX509Bundles = wellFormed(({ bundles }: X509BundlesResponse): Bundles => {
  const found = Object.entries(bundles).map(([id, der]) => x509Bundle(TrustDomain.parse(id), der));
  return new Bundles(found);
});

export const readJwtBundles = wellFormed(({ bundles }: JWTBundlesResponse): Bundles => {
  const found = Object.entries(bundles).map(([id, keySet]) => {
    const jwtAuthorities = readJwtBundle(keySet);
    return { ...emptyBundle(TrustDomain.parse(id)), jwtAuthorities };
  });
  return new Bundles(found);
});

/** A JWT-SVID as the Workload API gave it. */
export type IssuedJwtSvid = JwtSvid & { readonly hint: string };

/** The first is the default one. */
export function readJwtSvids(
  response: JWTSVIDResponse,
  audience: readonly string[],
  atUnixSeconds: number,
): readonly [IssuedJwtSvid, ...IssuedJwtSvid[]] {
  return wellFormed(({ svids }: JWTSVIDResponse) => {
    const read = svids.map(({ svid, hint }) => ({
      ...parseJwtSvidUnverified(svid, audience, atUnixSeconds),
      hint,
    }));
    const [first, ...others] = withoutDuplicateHints(read);
    if (first === undefined) throw new Fault('invalid', 'there were no SVIDs in the response');
    return [first, ...others] as const;
  })(response);
}

function wellFormed<Response, Value>(read: (response: Response) => Value) {
  return (response: Response): Value => {
    try {
      return read(response);
    } catch (error) {
      throw new Fault('internal', `malformed response: ${reasonOf(error)}`, { cause: error });
    }
  };
}

/** Of several with one hint the first counts. */
function withoutDuplicateHints<T extends { readonly hint: string }>(svids: readonly T[]): T[] {
  const seen = new Set<string>();
  return svids.filter(({ hint }) => hint === '' || (!seen.has(hint) && seen.add(hint)));
}

function x509Bundle(trustDomain: TrustDomain, concatenatedDer: Uint8Array): Bundle {
  const x509Authorities = parseCertificates(concatenatedDer).map(({ der }) => ({
    der,
    tainted: false,
  }));
  return { ...emptyBundle(trustDomain), x509Authorities };
}
