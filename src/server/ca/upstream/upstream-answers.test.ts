import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CaWorld } from '../../../../test/kit/authorities.ts';
import type { Changes, Holder } from '../../../../test/kit/certificates.ts';
import { FakeUpstream, rootOf } from '../../../../test/kit/upstream.ts';
import { unixSeconds } from '../../../base/clock.ts';
import { parseCsr } from '../../../crypto/csr.ts';
import { generateKey, subjectKeyId } from '../../../crypto/keys.ts';
import { buildCertificate, randomSerialNumber } from '../../../crypto/x509/build-certificate.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import { nameDer } from '../../../crypto/x509/name.ts';
import type { MintedX509Ca } from '../../../plugins/upstream-authority/contract.ts';

/*
 * What a malicious or broken authority answers: it is refused before anything of it is stored, with words that say
 * what is wrong.
 */

async function world() {
  const ca = new CaWorld();
  const upstream = await FakeUpstream.create(ca.clock);
  const { signal } = new AbortController();
  const { authority } = upstream;
  const start = () => ca.start({}, { upstream: { authority, random: () => 0.5, signal } });
  return { ca, upstream, start };
}

type World = Awaited<ReturnType<typeof world>>;

/** A CA for the key that was asked for, bent. */
async function signed(
  { upstream }: World,
  changes: Changes = {},
  signer: Holder = upstream.signer,
) {
  const { publicKey } = parseCsr(upstream.requests.at(-1)?.csr ?? new Uint8Array());
  const now = unixSeconds(upstream.clock);
  const template = {
    serialNumber: randomSerialNumber(),
    issuer: signer.certificate.subject,
    subject: nameDer([['CN', 'ca']]),
    notBefore: now - 10,
    notAfter: now + 3600,
    publicKey: publicKey.spki,
    keyUsage: ['keyCertSign', 'cRLSign'],
    basicConstraints: { ca: true },
    subjectKeyId: subjectKeyId(publicKey.spki),
    dnsNames: [],
    uris: ['spiffe://example.org'],
  } as const;
  return buildCertificate({ ...template, ...changes }, signer.key);
}

const PREFIX =
  'rpc error: code = InvalidArgument desc = X509 CA minted by upstream authority is invalid: ';
const CA = `${PREFIX}invalid upstream-signed X509 CA: invalid X509 CA: `;
const CHAIN = `${PREFIX}X509 CA produced an invalid X509-SVID chain: x509svid: could not verify leaf certificate: x509: `;
const PLUGIN = 'rpc error: code = Internal desc = upstreamauthority(fake): ';

const certificates: [
  why: string,
  changes: (at: number) => Changes | Promise<Changes>,
  message: string | RegExp,
][] = [
  [
    'without basic constraints',
    () => ({ basicConstraints: undefined }),
    `${CA}basic constraints are not valid`,
  ],
  ['that is none', () => ({ basicConstraints: { ca: false } }), `${CA}cA constraint is not set`],
  [
    'that may sign no certificates',
    () => ({ keyUsage: ['cRLSign'] }),
    `${CA}keyCertSign key usage must be set`,
  ],
  [
    'that says nothing of its use',
    () => ({ keyUsage: [] }),
    `${CA}keyCertSign key usage must be set`,
  ],
  [
    'that may do more',
    () => ({ keyUsage: ['keyCertSign', 'keyEncipherment'] }),
    `${CA}only keyCertSign, cRLSign, or digitalSignature key usage can be set`,
  ],
  [
    'of another trust domain',
    () => ({ uris: ['spiffe://other.test'] }),
    `${CA}expected URI SAN "spiffe://example.org" but got "spiffe://other.test"`,
  ],
  [
    'of two trust domains',
    () => ({ uris: ['spiffe://example.org', 'spiffe://other.test'] }),
    `${CA}expected URI SAN "spiffe://example.org" but got "spiffe://example.org, spiffe://other.test"`,
  ],
  [
    'of a workload',
    () => ({ uris: ['spiffe://example.org/web'] }),
    `${CA}expected URI SAN "spiffe://example.org" but got "spiffe://example.org/web"`,
  ],
  [
    'that is not valid yet',
    (at) => ({ notBefore: at + 60 }),
    `${CA}not yet valid until 2026-01-01T00:01:00Z`,
  ],
  [
    'that has expired',
    (at) => ({ notAfter: at - 1 }),
    `${CA}already expired as of 2025-12-31T23:59:59Z`,
  ],
  [
    'that expires now',
    (at) => ({ notAfter: at }),
    `${CA}already expired as of 2026-01-01T00:00:00Z`,
  ],
  ['whose key has no ID', () => ({ subjectKeyId: undefined }), `${CA}subject key ID is missing`],
  [
    'of another key',
    async () => ({ publicKey: (await generateKey('ec-p256')).publicKey.spki }),
    `${PREFIX}failed to sign validation certificate: x509: provided PrivateKey doesn't match parent's PublicKey`,
  ],
  [
    'that must have nothing below',
    () => ({ basicConstraints: { ca: true, pathLength: 0 }, issuer: nameDer([['CN', 'nobody']]) }),
    `${CHAIN}certificate signed by unknown authority`,
  ],
  [
    'with something critical that nobody knows',
    () => ({
      extraExtensions: [{ oid: '1.2.3', critical: true, value: Buffer.from('0500', 'hex') }],
    }),
    `${CHAIN}unhandled critical extension`,
  ],
];
for (const [why, changes, message] of certificates) {
  test(`refuses a CA ${why}`, async () => {
    const it = await world();
    const bent = await changes(unixSeconds(it.ca.clock));
    it.upstream.bendLater = async () => ({ x509CaChain: [await signed(it, bent)] });
    await refused(it, message);
  });
}

test('refuses a CA that was signed by somebody else in the name of the root', async () => {
  const it = await world();
  const impostor = await FakeUpstream.root(it.ca.clock, 'root');
  it.upstream.bendLater = async () => ({ x509CaChain: [await signed(it, {}, impostor)] });
  await refused(
    it,
    /certificate signed by unknown authority \(possibly because of ".*verification/,
  );
});

test('refuses a CA below an intermediate one that has expired', async () => {
  const it = await world();
  const [now, root] = [unixSeconds(it.ca.clock), it.upstream.signer];
  const below = await it.upstream.descend('below', { notBefore: now - 600, notAfter: now - 300 });
  it.upstream.bendLater = async () => ({
    x509CaChain: [await signed(it, {}, below), below.certificate.der],
    upstreamRoots: [rootOf(root)],
  });
  await refused(it, /certificate has expired or is not yet valid/);
});

test('refuses a CA whose chain ends before the root', async () => {
  const it = await world();
  await it.upstream.descend('below');
  it.upstream.bend = ({ x509CaChain }) => ({ x509CaChain: x509CaChain.slice(0, 1) });
  await refused(it, `${CHAIN}certificate signed by unknown authority`);
});

const answers: [
  why: string,
  bent: (minted: MintedX509Ca) => Partial<MintedX509Ca>,
  message: string | RegExp,
][] = [
  ['no CA', () => ({ x509CaChain: [] }), `${PLUGIN}plugin response missing X.509 CA chain`],
  [
    'no roots',
    () => ({ upstreamRoots: [] }),
    `${PLUGIN}plugin response missing upstream X.509 roots`,
  ],
  [
    'what is no certificate',
    () => ({ x509CaChain: [Buffer.from('x')] }),
    /plugin response has malformed X\.509 CA chain: x509: malformed certificate/,
  ],
  [
    'a certificate with something after it',
    ({ x509CaChain: [ca = new Uint8Array()] }) => ({
      x509CaChain: [Buffer.concat([ca, Buffer.of(0)])],
    }),
    /plugin response has malformed X\.509 CA chain: x509: trailing data/,
  ],
  [
    'a root that is none',
    () => ({ upstreamRoots: [{ der: Buffer.from('x'), tainted: false }] }),
    /plugin response has malformed upstream X\.509 roots: x509: malformed certificate/,
  ],
  [
    'an empty root',
    () => ({ upstreamRoots: [{ der: new Uint8Array(), tainted: false }] }),
    /malformed upstream X\.509 roots: expected one certificate; got 0/,
  ],
  [
    'two roots in one',
    ({ upstreamRoots: [root] }) => ({
      upstreamRoots: [
        {
          der: Buffer.concat([root?.der ?? Buffer.of(), root?.der ?? Buffer.of()]),
          tainted: false,
        },
      ],
    }),
    /malformed upstream X\.509 roots: expected one certificate; got 2/,
  ],
  [
    'a chain that nobody could send on',
    ({ x509CaChain: [ca = new Uint8Array()] }) => ({ x509CaChain: Array(16).fill(ca) }),
    /plugin response has 16 certificates in its X\.509 CA chain; no more than 15 are taken/,
  ],
  [
    'more roots than there are',
    ({ upstreamRoots: [root] }) => ({ upstreamRoots: Array(501).fill(root) }),
    /501 upstream X\.509 roots; no more than 500 are taken/,
  ],
  [
    'a certificate of a size that none has',
    () => ({ x509CaChain: [new Uint8Array(200_000)] }),
    /plugin response has malformed X\.509 CA chain: x509: certificate too large/,
  ],
];
for (const [why, bent, message] of answers) {
  test(`refuses ${why}`, async () => {
    const it = await world();
    it.upstream.bend = bent;
    await refused(it, message);
  });
}

test('refuses roots that have nothing to do with the CA', async () => {
  const it = await world();
  const other = await FakeUpstream.root(it.ca.clock, 'other');
  it.upstream.bend = () => ({ upstreamRoots: [rootOf(other)] });
  await refused(it, `${CHAIN}certificate signed by unknown authority`);
});

test('takes a CA without a URI, and one that may sign what it likes to', async () => {
  const it = await world();
  it.upstream.bendLater = async () => ({
    x509CaChain: [await signed(it, { uris: [], keyUsage: ['keyCertSign', 'digitalSignature'] })],
  });
  await using authorities = await it.start();
  assert.deepEqual(authorities.manager.x509.active?.certificate.uris, []);
});

test('what was refused has left no trace, and the next answer is taken', async () => {
  const it = await world();
  it.upstream.bend = () => ({ upstreamRoots: [] });
  await assert.rejects(it.start());
  it.upstream.bend = () => ({});
  await using authorities = await it.start();
  assert.equal(authorities.manager.hasUpstream, true);
  assert.deepEqual(
    it.ca.bundle().x509Authorities.map(({ der }) => parseCertificate(der).subject),
    [it.upstream.signer.certificate.subject],
  );
});

async function refused(it: World, message: string | RegExp): Promise<void> {
  await assert.rejects(it.start(), { message });
  assert.equal(it.ca.bundles.get(it.upstream.trustDomain), undefined);
  assert.equal(it.ca.journals.rows.size, 0);
  assert.ok(it.upstream.rootStreams.every(({ signal }) => signal.aborted));
}
