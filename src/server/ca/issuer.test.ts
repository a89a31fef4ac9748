import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, test } from 'node:test';
import { VirtualClock } from '../../../test/kit/clock.ts';
import { unixSeconds } from '../../base/clock.ts';
import { parseJws, verifyJws } from '../../crypto/jose/jws.ts';
import { generateKey, type KeyType, type PrivateKey, subjectKeyId } from '../../crypto/keys.ts';
import { buildCertificate, randomSerialNumber } from '../../crypto/x509/build-certificate.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import { nameDer, nameText } from '../../crypto/x509/name.ts';
import { selfSignedCaTemplate } from '../../spiffe/profiles.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import type { SigningKey, X509Ca } from './authority.ts';
import type { Issuer, JwtSvidRequest, WitSvidRequest, X509SvidRequest } from './contract.ts';
import { createIssuer, type IssuerConfig } from './issuer.ts';

const HOUR = 3600;
const clock = new VirtualClock();
const now = unixSeconds(clock);
const trustDomain = TrustDomain.parse('example.org');
const web = SpiffeId.parse('spiffe://example.org/web');
const config: IssuerConfig = {
  trustDomain,
  x509SvidTtlSeconds: HOUR,
  agentTtlSeconds: 2 * HOUR,
  jwtSvidTtlSeconds: 300,
  caTtlSeconds: 12 * HOUR,
  jwtIssuer: undefined,
  witIssuer: undefined,
};

async function caOf(signer: PrivateKey, lifetime: number): Promise<X509Ca> {
  const notAfter = now + lifetime;
  const template = selfSignedCaTemplate(
    trustDomain,
    { C: ['US'], O: ['SPIFFE'] },
    {
      serialNumber: randomSerialNumber(),
      publicKey: signer.publicKey.spki,
      notBefore: now - 10,
      notAfter,
    },
  );
  const certificate = parseCertificate(await buildCertificate(template, signer));
  return {
    authorityId: Buffer.from(subjectKeyId(signer.publicKey.spki)).toString('hex'),
    issuedAt: now,
    notAfter,
    signer,
    certificate,
    upstreamChain: [],
    upstreamAuthorityId: '',
  };
}

let caKey: PrivateKey;
let ca: X509Ca;
let signingKey: SigningKey;
let workloadKey: PrivateKey;
let issuer: Issuer;

before(async () => {
  caKey = await generateKey('ec-p256');
  ca = await caOf(caKey, 24 * HOUR);
  signingKey = { authorityId: 'kid', issuedAt: now, notAfter: now + 24 * HOUR, signer: caKey };
  workloadKey = await generateKey('ec-p256');
  issuer = issuerWith();
});

type Active = {
  ca?: X509Ca | undefined;
  jwt?: SigningKey | undefined;
  wit?: SigningKey | undefined;
};

const issuerWith = (active: Active = {}, changed: Partial<IssuerConfig> = {}): Issuer => {
  const all = { ca, jwt: signingKey, wit: signingKey, ...active };
  return createIssuer({
    config: { ...config, ...changed },
    active: { x509Ca: () => all.ca, jwtKey: () => all.jwt, witKey: () => all.wit },
    clock,
  });
};

const x509Request = (changed: Partial<X509SvidRequest> = {}): X509SvidRequest => ({
  id: web,
  publicKey: workloadKey.publicKey,
  dnsNames: [],
  ttlSeconds: 0,
  ...changed,
});

const jwtRequest = (changed: Partial<JwtSvidRequest> = {}): JwtSvidRequest => ({
  id: web,
  audience: ['db'],
  ttlSeconds: 0,
  includeJti: false,
  ...changed,
});

function onlyCertificate({ chain }: { chain: readonly Uint8Array[] }): Certificate {
  const [leaf, ...others] = chain;
  assert.ok(leaf);
  assert.deepEqual(others, []);
  assert.ok(new X509Certificate(leaf).verify(new X509Certificate(ca.certificate.der).publicKey));
  return parseCertificate(leaf);
}

test('a workload gets its ID, DNS names, and the default lifetime', async () => {
  const issued = await issuer.workloadX509Svid(x509Request({ dnsNames: ['b.test', 'a.test'] }));
  const leaf = onlyCertificate(issued);
  assert.deepEqual(leaf.uris, ['spiffe://example.org/web']);
  assert.deepEqual(leaf.dnsNames, ['b.test', 'a.test']);
  assert.equal(nameText(leaf.subject), 'CN=b.test,O=SPIRE,C=US');
  assert.equal(leaf.notBefore, now - 10);
  assert.equal(leaf.notAfter, now + HOUR);
  assert.deepEqual(leaf.spki, workloadKey.publicKey.spki);
  assert.deepEqual(leaf.issuer, ca.certificate.subject);
  assert.deepEqual(leaf.authorityKeyId, ca.certificate.subjectKeyId);
  const { serialNumber, notBefore, notAfter } = leaf;
  assert.deepEqual(
    { serialNumber, notBefore, notAfter },
    {
      serialNumber: issued.serialNumber,
      notBefore: issued.notBefore,
      notAfter: issued.notAfter,
    },
  );
});

test('a subject that was asked for replaces the default one', async () => {
  const subject = nameDer([
    ['O', 'Acme'],
    ['CN', 'own'],
  ]);
  const leaf = onlyCertificate(await issuer.workloadX509Svid(x509Request({ subject })));
  assert.equal(nameText(leaf.subject), 'CN=own,O=Acme');
});

for (const [why, ttlSeconds, expected] of [
  ['the one asked for', 60, 60],
  ['the default where none is asked for', 0, HOUR],
  ['the default where a negative one is asked for', -5, HOUR],
  ["no longer than the CA's", 100 * HOUR, 24 * HOUR],
] as const) {
  test(`the lifetime of an X509-SVID is ${why}`, async () => {
    const issued = await issuer.workloadX509Svid(x509Request({ ttlSeconds }));
    assert.equal(issued.notAfter, now + expected);
    assert.equal(onlyCertificate(issued).notAfter, now + expected);
  });
}

test('an agent gets its own lifetime, no DNS names, and the default subject', async () => {
  const id = SpiffeId.parse('spiffe://example.org/spire/agent/x');
  const leaf = onlyCertificate(await issuer.agentX509Svid(id, workloadKey.publicKey));
  assert.deepEqual(leaf.uris, [id.toString()]);
  assert.equal(nameText(leaf.subject), 'O=SPIRE,C=US');
  assert.equal(leaf.notAfter, now + 2 * HOUR);
});

test("the server's own SVID names /spire/server", async () => {
  const leaf = onlyCertificate(await issuer.serverX509Svid(workloadKey.publicKey));
  assert.deepEqual(leaf.uris, ['spiffe://example.org/spire/server']);
  assert.equal(leaf.notAfter, now + HOUR);
});

test('a downstream CA is a CA of the trust domain, under the subject of ours', async () => {
  const { publicKey } = workloadKey;
  const leaf = onlyCertificate(await issuer.downstreamX509Ca({ publicKey, ttlSeconds: 0 }));
  assert.deepEqual(leaf.uris, ['spiffe://example.org']);
  assert.equal(leaf.basicConstraints?.ca, true);
  assert.equal(leaf.notAfter, now + 12 * HOUR);
  const serial = ca.certificate.serialNumber;
  assert.equal(nameText(leaf.subject), `SERIALNUMBER=${serial},OU=DOWNSTREAM-1,O=SPIFFE,C=US`);
});

test('the chain goes on with what lies between the CA and its root', async () => {
  const upstreamChain = [ca.certificate.der, Uint8Array.of(1)];
  const { chain } = await issuerWith({ ca: { ...ca, upstreamChain } }).workloadX509Svid(
    x509Request(),
  );
  assert.deepEqual(chain.slice(1), upstreamChain);
});

test('every certificate has its own serial number', async () => {
  const issued = await Promise.all(
    Array.from({ length: 50 }, () => issuer.workloadX509Svid(x509Request())),
  );
  assert.equal(new Set(issued.map(({ serialNumber }) => serialNumber)).size, 50);
});

for (const [keyType, algorithm] of [
  ['ec-p256', 'ES256'],
  ['ec-p384', 'ES384'],
  ['rsa-2048', 'RS256'],
] satisfies [KeyType, string][]) {
  test(`a JWT key of type ${keyType} signs with ${algorithm}`, async () => {
    const signer = await generateKey(keyType);
    const { token } = await issuerWith({ jwt: { ...signingKey, signer } }).workloadJwtSvid(
      jwtRequest(),
    );
    assert.equal(parseJws(token).algorithm, algorithm);
    assert.ok(await verifyJws(parseJws(token), signer.publicKey));
  });
}

const decoded = (token: string, part: 0 | 1) =>
  Buffer.from(token.split('.')[part] ?? '', 'base64url').toString();

test('header and claims are in alphabetical order, and no more than asked for', async () => {
  const { token, issuedAt, expiresAt } = await issuer.workloadJwtSvid(
    jwtRequest({ audience: ['db', '', 'cache'] }),
  );
  assert.equal(decoded(token, 0), '{"alg":"ES256","kid":"kid","typ":"JWT"}');
  assert.equal(
    decoded(token, 1),
    `{"aud":["db","cache"],"exp":${now + 300},"iat":${now},"sub":"spiffe://example.org/web"}`,
  );
  assert.deepEqual({ issuedAt, expiresAt }, { issuedAt: now, expiresAt: now + 300 });
});

test('issuer and token ID are there where they are configured and asked for', async () => {
  const { token } = await issuerWith({}, { jwtIssuer: 'https://oidc.test' }).workloadJwtSvid(
    jwtRequest({ includeJti: true }),
  );
  const { iss, jti } = JSON.parse(decoded(token, 1)) as Record<string, string>;
  assert.equal(iss, 'https://oidc.test');
  const uuid = Buffer.from(jti ?? '', 'base64url');
  assert.equal(uuid.length, 16);
  assert.equal((uuid[6] ?? 0) >> 4, 4);
});

test("a JWT-SVID lives no longer than its key's authority", async () => {
  const { expiresAt } = await issuer.workloadJwtSvid(jwtRequest({ ttlSeconds: 100 * HOUR }));
  assert.equal(expiresAt, now + 24 * HOUR);
});

const witRequest = (changed: Partial<WitSvidRequest> = {}): WitSvidRequest => ({
  id: web,
  publicKey: workloadKey.publicKey,
  signingAlgorithm: 'ES256',
  ttlSeconds: 0,
  ...changed,
});

test("a WIT-SVID binds the workload's key", async () => {
  const { token, expiresAt } = await issuerWith({}, { witIssuer: 'wit' }).workloadWitSvid(
    witRequest(),
  );
  assert.equal(decoded(token, 0), '{"alg":"ES256","kid":"kid","typ":"wit+jwt"}');
  const claims = JSON.parse(decoded(token, 1)) as { cnf: { jwk: { alg: string; kty: string } } };
  assert.deepEqual(Object.keys(claims), ['cnf', 'exp', 'iat', 'iss', 'sub']);
  assert.equal(claims.cnf.jwk.kty, 'EC');
  assert.equal(claims.cnf.jwk.alg, 'ES256');
  assert.equal(expiresAt, now + HOUR);
});

const elsewhere = SpiffeId.parse('spiffe://other.test/web');
const pathless = SpiffeId.parse('spiffe://example.org');
const expired = () => ({ ...ca, notAfter: now });
const at = '2026-01-01T00:00:00Z';

/** What is refused, with SPIRE's words (`reference/server.md` §7). */
const refusals: readonly [why: string, issue: () => Promise<unknown>, message: string][] = [
  [
    'an X509-SVID without a CA',
    () => issuerWith({ ca: undefined }).workloadX509Svid(x509Request()),
    'X509 CA is not available for signing',
  ],
  [
    'a downstream CA without a CA',
    () =>
      issuerWith({ ca: undefined }).downstreamX509Ca({
        publicKey: workloadKey.publicKey,
        ttlSeconds: 0,
      }),
    'X509 CA is not available for signing',
  ],
  [
    'a JWT-SVID without a key',
    () => issuerWith({ jwt: undefined }).workloadJwtSvid(jwtRequest()),
    'JWT key is not available for signing',
  ],
  [
    'a WIT-SVID without a key',
    () => issuerWith({ wit: undefined }).workloadWitSvid(witRequest()),
    'WIT key is not available for signing',
  ],
  [
    'an X509-SVID of another trust domain',
    () => issuer.workloadX509Svid(x509Request({ id: elsewhere })),
    'invalid X509-SVID ID: "spiffe://other.test/web" is not a member of trust domain "example.org"',
  ],
  [
    'an agent of another trust domain',
    () => issuer.agentX509Svid(elsewhere, workloadKey.publicKey),
    'invalid X509-SVID ID: "spiffe://other.test/web" is not a member of trust domain "example.org"',
  ],
  [
    'an X509-SVID for the trust domain itself',
    () => issuer.workloadX509Svid(x509Request({ id: pathless })),
    'invalid X509-SVID ID: "spiffe://example.org" is not a member of trust domain "example.org"; path is empty',
  ],
  [
    'a JWT-SVID of another trust domain',
    () => issuer.workloadJwtSvid(jwtRequest({ id: elsewhere })),
    'invalid JWT-SVID ID: "spiffe://other.test/web" is not a member of trust domain "example.org"',
  ],
  [
    'an X509-SVID of a CA that has expired',
    () => issuerWith({ ca: expired() }).workloadX509Svid(x509Request()),
    `invalid workload X509-SVID: invalid X509-SVID: already expired as of ${at}`,
  ],
  [
    "the server's SVID of a CA that has expired",
    () => issuerWith({ ca: expired() }).serverX509Svid(workloadKey.publicKey),
    `invalid server X509-SVID: invalid X509-SVID: already expired as of ${at}`,
  ],
  [
    'a downstream CA of a CA that has expired',
    () =>
      issuerWith({ ca: expired() }).downstreamX509Ca({
        publicKey: workloadKey.publicKey,
        ttlSeconds: 0,
      }),
    `invalid downstream X509 CA: invalid X509 CA: already expired as of ${at}`,
  ],
  [
    'a JWT-SVID of a key that has expired',
    () => issuerWith({ jwt: { ...signingKey, notAfter: now } }).workloadJwtSvid(jwtRequest()),
    `invalid JWT-SVID "exp" claim: already expired as of ${at}`,
  ],
];

for (const [why, issue, message] of refusals) {
  test(`refuses ${why}`, async () => {
    await assert.rejects(issue(), { kind: 'internal', message });
  });
}

test('refuses a JWT-SVID for nobody', async () => {
  await assert.rejects(issuer.workloadJwtSvid(jwtRequest({ audience: ['', ''] })), {
    kind: 'invalid',
    message: 'invalid JWT-SVID audience: cannot be empty',
  });
});
