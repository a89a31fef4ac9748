import { randomUUID } from 'node:crypto';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { Fault, wrapFault } from '../../base/fault.ts';
import { jwkFromPublicKey } from '../../crypto/jose/jwk.ts';
import { jwsAlgorithmFor, signJws } from '../../crypto/jose/jws.ts';
import type { PublicKey } from '../../crypto/signer.ts';
import {
  buildCertificate,
  type CertificateTemplate,
  randomSerialNumber,
} from '../../crypto/x509/build-certificate.ts';
import { checkMember } from '../../spiffe/id-rules.ts';
import { jwtSvidClaims } from '../../spiffe/jwt-claims.ts';
import {
  agentTemplate,
  type CertificateBasics,
  type CertificateIssuer,
  downstreamCaTemplate,
  serverTemplate,
  validity,
  workloadTemplate,
} from '../../spiffe/profiles.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { SigningKey, X509Ca } from './authority.ts';
import type { IssuedJwtSvid, IssuedX509Svid, Issuer } from './contract.ts';

/** Whole seconds. */
export type IssuerConfig = {
  readonly trustDomain: TrustDomain;
  readonly x509SvidTtlSeconds: number;
  readonly agentTtlSeconds: number;
  readonly jwtSvidTtlSeconds: number;
  readonly caTtlSeconds: number;
  readonly jwtIssuer: string | undefined;
  readonly witIssuer: string | undefined;
};

/** Asked for at every signature: an authority may have taken over since the last one. */
export type ActiveAuthorities = {
  x509Ca(): X509Ca | undefined;
  jwtKey(): SigningKey | undefined;
  witKey(): SigningKey | undefined;
};

export type IssuerDeps = {
  readonly config: IssuerConfig;
  readonly active: ActiveAuthorities;
  readonly clock: Pick<Clock, 'now'>;
};

/** The default lifetime of a WIT-SVID (`reference/server.md` §7.4). */
const WIT_SVID_TTL_SECONDS = 60 * 60;

export function createIssuer({ config, active, clock }: IssuerDeps): Issuer {
  const now = () => unixSeconds(clock);

  return {
    workloadX509Svid({ id, publicKey, dnsNames, ttlSeconds, subject }) {
      const ttl = orDefault(ttlSeconds, config.x509SvidTtlSeconds);
      return x509Svid('workload', id, publicKey, ttl, (basics, issuer) =>
        workloadTemplate({ id, dnsNames, subject }, basics, issuer),
      );
    },

    agentX509Svid: (id, publicKey) =>
      x509Svid('agent', id, publicKey, config.agentTtlSeconds, (basics, issuer) =>
        agentTemplate(id, basics, issuer),
      ),

    serverX509Svid(publicKey) {
      const id = SpiffeId.server(config.trustDomain);
      return x509Svid('server', id, publicKey, config.x509SvidTtlSeconds, (basics, issuer) =>
        serverTemplate(config.trustDomain, basics, issuer),
      );
    },

    async downstreamX509Ca({ publicKey, ttlSeconds }) {
      const ca = required(active.x509Ca(), 'X509 CA');
      const basics = basicsOf(ca, publicKey, orDefault(ttlSeconds, config.caTtlSeconds), now());
      refuseExpired('downstream X509 CA: invalid X509 CA', basics.notAfter, now());
      const chainLength = Math.max(1, ca.upstreamChain.length);
      const { trustDomain } = config;
      return signed(ca, downstreamCaTemplate(trustDomain, chainLength, basics, issuerOf(ca)));
    },

    async workloadJwtSvid({ id, audience, ttlSeconds, includeJti }) {
      const key = required(active.jwtKey(), 'JWT key');
      checkSvidId('JWT-SVID', id, config.trustDomain);
      const times = timesOf(key, orDefault(ttlSeconds, config.jwtSvidTtlSeconds), now());
      const claims = jwtSvidClaims({
        id,
        audience,
        ...times,
        issuer: config.jwtIssuer,
        jti: includeJti ? randomJti() : undefined,
      });
      return signedToken(key, 'JWT', claims, times);
    },

    async workloadWitSvid({ id, publicKey, signingAlgorithm, ttlSeconds }) {
      const key = required(active.witKey(), 'WIT key');
      checkSvidId('WIT-SVID', id, config.trustDomain);
      const times = timesOf(key, orDefault(ttlSeconds, WIT_SVID_TTL_SECONDS), now());
      const claims = {
        cnf: { jwk: boundJwk(publicKey.spki, signingAlgorithm) },
        exp: times.expiresAt,
        iat: times.issuedAt,
        ...(config.witIssuer !== undefined && { iss: config.witIssuer }),
        sub: id.toString(),
      };
      return signedToken(key, 'wit+jwt', claims, times);
    },
  };

  async function x509Svid(
    what: 'workload' | 'agent' | 'server',
    id: SpiffeId,
    publicKey: PublicKey,
    ttlSeconds: number,
    template: (basics: CertificateBasics, issuer: CertificateIssuer) => CertificateTemplate,
  ): Promise<IssuedX509Svid> {
    const ca = required(active.x509Ca(), 'X509 CA');
    checkSvidId('X509-SVID', id, config.trustDomain);
    const basics = basicsOf(ca, publicKey, ttlSeconds, now());
    refuseExpired(`${what} X509-SVID: invalid X509-SVID`, basics.notAfter, now());
    return signed(ca, template(basics, issuerOf(ca)));
  }
}

async function signed(ca: X509Ca, template: CertificateTemplate): Promise<IssuedX509Svid> {
  const der = await buildCertificate(template, ca.signer);
  const { serialNumber, notBefore, notAfter } = template;
  return { chain: [der, ...ca.upstreamChain], serialNumber, notBefore, notAfter };
}

/** Nothing lives longer than the certificate that signs it. */
const basicsOf = (
  ca: X509Ca,
  publicKey: PublicKey,
  ttlSeconds: number,
  now: number,
): CertificateBasics => ({
  serialNumber: randomSerialNumber(),
  publicKey: publicKey.spki,
  ...validity(now, ttlSeconds, ca.notAfter),
});

function issuerOf({ certificate }: X509Ca): CertificateIssuer {
  const { subject, subjectKeyId } = certificate;
  if (subjectKeyId === undefined) {
    throw new Fault('internal', 'the X509 CA certificate has no subject key ID');
  }
  return { subject, subjectKeyId };
}

/** The workload's key as the token binds it (RFC 7800 §3.2), its members in SPIRE's order. */
function boundJwk(spki: Uint8Array, alg: string) {
  const jwk = jwkFromPublicKey(spki);
  if (jwk.kty === 'RSA') return { kty: jwk.kty, alg, n: jwk.n, e: jwk.e };
  return { kty: jwk.kty, crv: jwk.crv, alg, x: jwk.x, y: jwk.y };
}

type TokenTimes = { readonly issuedAt: number; readonly expiresAt: number };

function timesOf(key: SigningKey, ttlSeconds: number, now: number): TokenTimes {
  const expiresAt = Math.min(now + ttlSeconds, key.notAfter);
  if (expiresAt <= now) {
    throw new Fault(
      'internal',
      `invalid JWT-SVID "exp" claim: already expired as of ${utc(expiresAt)}`,
    );
  }
  return { issuedAt: now, expiresAt };
}

async function signedToken(
  key: SigningKey,
  typ: string,
  payload: Readonly<Record<string, unknown>>,
  times: TokenTimes,
): Promise<IssuedJwtSvid> {
  const header = { kid: key.authorityId, typ };
  const algorithm = jwsAlgorithmFor(key.signer.publicKey);
  return { token: await signJws({ header, payload }, key.signer, algorithm), ...times };
}

function required<A>(authority: A | undefined, what: string): A {
  if (authority !== undefined) return authority;
  throw new Fault('internal', `${what} is not available for signing`);
}

function checkSvidId(what: string, id: SpiffeId, trustDomain: TrustDomain): void {
  try {
    checkMember(id, trustDomain);
  } catch (error) {
    throw wrapFault(`invalid ${what} ID`, error, 'internal');
  }
}

function refuseExpired(what: string, notAfter: number, now: number): void {
  if (notAfter > now) return;
  throw new Fault('internal', `invalid ${what}: already expired as of ${utc(notAfter)}`);
}

const utc = (unixSeconds: number): string =>
  new Date(unixSeconds * 1000).toISOString().replace('.000Z', 'Z');

const orDefault = (ttlSeconds: number, defaultSeconds: number): number =>
  ttlSeconds > 0 ? ttlSeconds : defaultSeconds;

/** The bytes of a random UUID (version 4), in base64url (`reference/server.md` §7.3). */
const randomJti = (): string =>
  Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
