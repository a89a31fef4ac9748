import { Fault, wrapFault } from '../base/fault.ts';
import { readPublicKey } from '../crypto/keys.ts';
import type { PublicKey } from '../crypto/signer.ts';
import type { HealthCheck } from '../ops/health-checks.ts';
import { dial } from '../rpc/dial.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { Bundle } from '../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type { Issuer } from './ca/contract.ts';
import type { AuthorityManager } from './ca/start-authorities.ts';
import type { BundleStore } from './datastore/contract.ts';

/** A call that takes longer has failed. */
const CALL_TIMEOUT_MILLISECONDS = 30_000;
/** Whose SVID is signed to see whether any can be. */
const CHECK_PATH = '/for/health/check/only';

export type ServerHealthDeps = {
  readonly issuer: Pick<Issuer, 'workloadX509Svid'>;
  readonly manager: Pick<AuthorityManager, 'problem'>;
  readonly storedBundles: Pick<BundleStore, 'get'>;
  readonly trustDomain: TrustDomain;
  readonly socketPath: string;
};

/** What a server's health consists of (`reference/server.md` §11.1). */
export const serverHealthChecks = (deps: ServerHealthDeps): readonly HealthCheck[] => [
  { name: 'server', problemKey: 'get_bundle_err', test: () => getBundle(deps) },
  { name: 'server.ca', problemKey: 'sign_x509_svid_err', test: () => signSvid(deps) },
  {
    name: 'server.ca.rotator',
    problemKey: 'rotation_err',
    async test() {
      const problem = deps.manager.problem();
      if (problem !== undefined) throw new Fault('internal', problem);
    },
  },
  {
    name: 'catalog.datastore',
    problemKey: 'list_bundle_err',
    async test() {
      await deps.storedBundles.get(deps.trustDomain);
    },
  },
];

/** The way that callers of this machine take. */
async function getBundle({ socketPath }: ServerHealthDeps): Promise<void> {
  using channel = dial({ address: `unix:${socketPath}` });
  try {
    await channel.client(Bundle).getBundle({}, { timeoutMilliseconds: CALL_TIMEOUT_MILLISECONDS });
  } catch (error) {
    throw wrapFault('unable to fetch bundle', error);
  }
}

async function signSvid({ issuer, trustDomain }: ServerHealthDeps): Promise<void> {
  await issuer.workloadX509Svid({
    id: SpiffeId.of(trustDomain, CHECK_PATH),
    publicKey: checkKey(),
    dnsNames: [],
    ttlSeconds: 0,
  });
}

/** The generator of P-256 (SEC 2 §2.4.2) as a public key: that of the private key 1, which is good for nothing else. */
const CHECK_KEY_SPKI =
  '3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5';

const checkKey = (): PublicKey => readPublicKey(Buffer.from(CHECK_KEY_SPKI, 'hex'));
