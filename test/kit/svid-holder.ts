import assert from 'node:assert/strict';
import { parseJws, verifyJws } from '../../src/crypto/jose/jws.ts';
import { type PrivateKey, readPublicKey } from '../../src/crypto/keys.ts';
import { parseCertificate } from '../../src/crypto/x509/certificate.ts';
import type { Issuer } from '../../src/server/ca/contract.ts';
import type { Bundle } from '../../src/spiffe/bundle.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { subjectKeyIdText } from '../../src/spiffe/signed-by-any.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { verifyX509Svid } from '../../src/spiffe/x509-svid.ts';

const id = SpiffeId.parse('spiffe://example.org/workload');
const AUDIENCE = ['anybody'];

/** One SVID, of whichever kind. Times are Unix seconds. */
type Svid = {
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** Whether the authority that signed it is in the bundle, and sound. */
  isSound(bundle: Bundle): boolean;
  /** Throws where the bundle does not verify it. */
  verify(bundle: Bundle, at: number): Promise<unknown>;
};

/**
 * A workload with its agent: it has an SVID of each kind, shows them to others, and verifies theirs with the bundle
 * that it learnt when it last looked. It looks at intervals, and then replaces what is due or tainted.
 */
export class SvidHolder {
  readonly #key: PrivateKey;
  readonly #ttlSeconds: number;
  #bundle: Bundle | undefined;
  #svids: readonly Svid[] = [];
  /** What a bundle, which never changes, has been found to verify. */
  readonly #verified = new WeakMap<Bundle, WeakSet<Svid>>();

  constructor(key: PrivateKey, ttlSeconds: number) {
    this.#key = key;
    this.#ttlSeconds = ttlSeconds;
  }

  /** Learns the bundle; replaces SVIDs past half of their life, and those of authorities that are not sound. */
  async synchronize(bundle: Bundle, issuer: Issuer | undefined, now: number): Promise<void> {
    this.#bundle = bundle;
    const isKept = (svid: Svid) =>
      svid.isSound(bundle) && now < (svid.issuedAt + svid.expiresAt) / 2;
    if (issuer === undefined || (this.#svids.length > 0 && this.#svids.every(isKept))) return;
    this.#svids = await issueAll(issuer, this.#key, this.#ttlSeconds, now);
  }

  /** Verifies what the other shows at that moment; nobody shows what has expired. */
  async meets(other: SvidHolder, now: number): Promise<void> {
    const bundle = this.#bundle ?? assert.fail('it has not looked yet');
    const known = this.#verified.get(bundle) ?? new WeakSet();
    this.#verified.set(bundle, known);
    for (const svid of other.#svids) {
      if (svid.expiresAt <= now || known.has(svid)) continue;
      await svid.verify(bundle, now);
      known.add(svid);
    }
  }
}

async function issueAll(
  issuer: Issuer,
  { publicKey }: PrivateKey,
  ttlSeconds: number,
  now: number,
): Promise<readonly Svid[]> {
  const { chain } = await issuer.workloadX509Svid({ id, publicKey, dnsNames: [], ttlSeconds });
  const jwt = await issuer.workloadJwtSvid({
    id,
    audience: AUDIENCE,
    ttlSeconds,
    includeJti: false,
  });
  const wit = await issuer.workloadWitSvid({
    id,
    publicKey,
    signingAlgorithm: 'ES256',
    ttlSeconds,
  });
  return [x509Svid(chain, now), jwtSvid(jwt.token, jwt), witSvid(wit.token, wit)];
}

function x509Svid(chain: readonly Uint8Array[], issuedAt: number): Svid {
  const leaf = parseCertificate(chain[0] ?? assert.fail('no leaf'));
  const signedBy = Buffer.from(leaf.authorityKeyId ?? []).toString('hex');
  return {
    issuedAt,
    expiresAt: leaf.notAfter,
    isSound: ({ x509Authorities }) =>
      x509Authorities.some(
        ({ der, tainted }) => !tainted && subjectKeyIdText(parseCertificate(der)) === signedBy,
      ),
    verify: (bundle, at) => verifyX509Svid(chain, () => bundle, at),
  };
}

type Times = { readonly issuedAt: number; readonly expiresAt: number };

function jwtSvid(token: string, { issuedAt, expiresAt }: Times): Svid {
  const keyId = parseJws(token).header['kid'];
  return {
    issuedAt,
    expiresAt,
    isSound: ({ jwtAuthorities }) =>
      jwtAuthorities.some((key) => key.keyId === keyId && !key.tainted),
    verify: (bundle, at) => verifyJwtSvid(token, () => bundle, AUDIENCE, at),
  };
}

function witSvid(token: string, { issuedAt, expiresAt }: Times): Svid {
  const jws = parseJws(token);
  const keyId = jws.header['kid'];
  return {
    issuedAt,
    expiresAt,
    isSound: ({ witAuthorities }) => witAuthorities.some((key) => key.keyId === keyId),
    async verify({ witAuthorities }) {
      const key = witAuthorities.find((one) => one.keyId === keyId);
      assert.ok(key, `WIT key ${String(keyId)} is not known`);
      assert.ok(await verifyJws(jws, readPublicKey(key.publicKey)));
    },
  };
}
