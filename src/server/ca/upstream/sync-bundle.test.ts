import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Holder, rootAuthority } from '../../../../test/kit/certificates.ts';
import { type Bundle, emptyBundle, type KeyAuthority } from '../../../spiffe/bundle.ts';
import { subjectKeyIdText } from '../../../spiffe/signed-by-any.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { syncBundle, taintRoots, type UpstreamNews } from './sync-bundle.ts';

const trustDomain = TrustDomain.parse('example.org');
const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => rootAuthority(name)));
assert.ok(a && b && c);
const nameless = await rootAuthority('nameless', { subjectKeyId: undefined });
const names = new Map(
  [a, b, c, nameless].map((holder, index) => [holder.certificate.der, 'abcn'[index]]),
);
const names64 = new Map([...names].map(([der, name]) => [Buffer.from(der).toString('hex'), name]));

const root = ({ certificate }: Holder, tainted = false) => ({ der: certificate.der, tainted });
const key = (keyId: string, changes: Partial<KeyAuthority> = {}): KeyAuthority => ({
  publicKey: Buffer.from(keyId.slice(0, 1)),
  keyId,
  expiresAt: 100,
  tainted: false,
  ...changes,
});
const bundle = (changes: Partial<Bundle>): Bundle => ({
  ...emptyBundle(trustDomain),
  sequenceNumber: 7n,
  ...changes,
});

/** `a b!`: a, and b with a taint. */
const roots = ({ x509Authorities }: Pick<Bundle, 'x509Authorities'>): string =>
  x509Authorities
    .map(
      ({ der, tainted }) => `${names64.get(Buffer.from(der).toString('hex'))}${tainted ? '!' : ''}`,
    )
    .join(' ');
const keys = ({ jwtAuthorities }: Pick<Bundle, 'jwtAuthorities'>): string =>
  jwtAuthorities.map(({ keyId, tainted }) => `${keyId}${tainted ? '!' : ''}`).join(' ');
const ski = ({ certificate }: Holder) => subjectKeyIdText(certificate);

const rootRows: [
  why: string,
  stored: Bundle['x509Authorities'],
  reported: NonNullable<UpstreamNews['roots']>,
  after: string | undefined,
  told?: { tainted?: Holder[]; revoked?: Holder[] },
][] = [
  ['takes new ones', [root(a)], [root(b), root(c)], 'a b c'],
  ['takes none twice', [root(a)], [root(b), root(b)], 'a b'],
  ['changes nothing where nothing is new', [root(a), root(b)], [root(a)], undefined],
  ['keeps what is no longer reported', [root(a)], [root(b)], 'a b'],
  ['takes a new one that is tainted as such', [root(a)], [root(a), root(b, true)], 'a b!'],
  [
    'tells of a taint that is new, and waits with it',
    [root(a)],
    [root(a, true), root(b)],
    'a b',
    { tainted: [a] },
  ],
  ['tells of no taint that is stored', [root(a, true)], [root(a, true)], undefined],
  ['undoes no taint', [root(a, true)], [root(a)], undefined],
  [
    'lets a tainted one go that is not reported',
    [root(a, true), root(b)],
    [root(b)],
    'b',
    { revoked: [a] },
  ],
  [
    'lets one go and takes another',
    [root(a, true), root(b)],
    [root(b), root(c)],
    'b c',
    { revoked: [a] },
  ],
  [
    'knows those without subject key ID by what they are',
    [root(nameless, true), root(a)],
    [root(nameless), root(a)],
    undefined,
  ],
];
for (const [why, stored, reported, after, { tainted = [], revoked = [] } = {}] of rootRows) {
  test(`of roots, ${why}`, () => {
    const synced = syncBundle(bundle({ x509Authorities: stored }), trustDomain, {
      roots: reported,
    });
    assert.equal(synced.bundle && roots(synced.bundle), after);
    assert.equal(synced.bundle?.sequenceNumber, after === undefined ? undefined : 8n);
    assert.deepEqual(
      synced.tainted.map(({ subject }) => subject),
      tainted.map(({ certificate }) => certificate.subject),
    );
    assert.deepEqual(synced.revoked, revoked.map(ski));
  });
}

const keyRows: [
  why: string,
  stored: KeyAuthority[],
  reported: KeyAuthority[],
  after: string | undefined,
  revoked?: string[],
][] = [
  ['takes new ones', [key('a')], [key('b')], 'a b'],
  ['changes nothing where nothing is new', [key('a')], [key('a')], undefined],
  ['takes over a taint', [key('a')], [key('a', { tainted: true })], 'a!'],
  ['undoes no taint', [key('a', { tainted: true })], [key('a')], undefined],
  [
    'lets a tainted one go that is not reported',
    [key('a', { tainted: true }), key('b')],
    [key('b')],
    'b',
    ['a'],
  ],
  ['keeps others that are not reported', [key('a')], [], undefined],
  [
    'takes another key of the same ID beside the first, and its taint is its own',
    [key('a')],
    [key('a', { publicKey: Buffer.from('x'), tainted: true })],
    'a a!',
  ],
];
for (const [why, stored, reported, after, revoked = []] of keyRows) {
  test(`of JWT keys, ${why}`, () => {
    const synced = syncBundle(bundle({ jwtAuthorities: stored }), trustDomain, {
      jwtKeys: reported,
    });
    assert.equal(synced.bundle && keys(synced.bundle), after);
    assert.equal(synced.bundle?.sequenceNumber, after === undefined ? undefined : 8n);
    assert.deepEqual(synced.revokedKeyIds, revoked);
  });
}

test('a bundle is made where there is none, and both lists grow in one step', () => {
  const synced = syncBundle(undefined, trustDomain, { roots: [root(a)], jwtKeys: [key('k')] });
  assert.ok(synced.bundle);
  assert.equal(`${roots(synced.bundle)} ${keys(synced.bundle)}`, 'a k');
  assert.equal(synced.bundle.sequenceNumber, 0n);
});

test('records that hold several certificates are known by each of them', () => {
  const both = { der: Buffer.concat([a.certificate.der, b.certificate.der]), tainted: true };
  const stored = bundle({ x509Authorities: [both] });
  assert.equal(
    syncBundle(stored, trustDomain, { roots: [root(b, true)] }).bundle?.x509Authorities.length,
    2,
  );
  const { bundle: after, revoked } = syncBundle(stored, trustDomain, { roots: [root(c)] });
  assert.equal(after && roots(after), 'c');
  assert.deepEqual(revoked, [ski(a), ski(b)]);
});

test('a taint is set on every certificate of the key, once', () => {
  const stored = bundle({ x509Authorities: [root(a), root(b)] });
  const tainted = taintRoots(stored, [a.certificate]);
  assert.equal(tainted && roots(tainted), 'a! b');
  assert.equal(tainted?.sequenceNumber, 8n);
  assert.equal(taintRoots(tainted, [a.certificate]), undefined);
  assert.equal(taintRoots(stored, [c.certificate]), undefined);
  assert.equal(taintRoots(undefined, [a.certificate]), undefined);
});
