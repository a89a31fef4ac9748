import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Holder, leafOf, NOW, rootAuthority } from '../../../test/kit/certificates.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { type Bundle, emptyBundle } from '../../spiffe/bundle.ts';
import { isSignedByAny, subjectKeyIdText } from '../../spiffe/signed-by-any.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { TaintedAuthorities } from './tainted-authorities.ts';

let a: Holder;
let b: Holder;
before(async () => {
  [a, b] = await Promise.all([rootAuthority('a'), rootAuthority('b')]);
});

type Content = { x509?: [Holder, tainted: boolean][]; jwt?: [keyId: string, tainted: boolean][] };

const bundle = (
  sequence: number,
  { x509 = [], jwt = [] }: Content,
  expiresAt = NOW + 60,
): Bundle => ({
  ...emptyBundle(TrustDomain.parse('example.org')),
  sequenceNumber: BigInt(sequence),
  x509Authorities: x509.map(([{ certificate }, tainted]) => ({ der: certificate.der, tainted })),
  jwtAuthorities: jwt.map(([keyId, tainted]) => ({
    keyId,
    tainted,
    expiresAt,
    publicKey: Uint8Array.of(1),
  })),
});

function open() {
  const lines: LogLine[] = [];
  const taints = new TaintedAuthorities(recordingLog(lines, {}, 'debug'));
  const find = (now: Bundle, former: Bundle, at = NOW) => {
    const { x509, jwtKeyIds } = taints.findNew(now, former, at);
    return [...x509.map(subjectKeyIdText), ...jwtKeyIds];
  };
  return { find, lines };
}

const idOf = ({ certificate }: Holder) => subjectKeyIdText(certificate);

test('what is tainted is told once', () => {
  const { find, lines } = open();
  const sound = bundle(1, {
    x509: [
      [a, false],
      [b, false],
    ],
    jwt: [
      ['j', false],
      ['k', false],
    ],
  });
  const tainted = bundle(2, {
    x509: [
      [a, true],
      [b, false],
    ],
    jwt: [
      ['j', true],
      ['k', false],
    ],
  });
  assert.deepEqual(find(sound, bundle(0, {})), []);
  assert.deepEqual(find(tainted, sound), [idOf(a), 'j']);
  assert.deepEqual(find(tainted, tainted), []);
  assert.deepEqual(lines, [
    { message: 'New tainted X.509 authorities found', fields: { subject_key_ids: idOf(a) } },
    { message: 'New tainted JWT authorities found', fields: { jwt_authority_key_ids: 'j' } },
  ]);
});

test('what was revoked after it was told is not told again', () => {
  const { find } = open();
  const tainted = bundle(2, {
    x509: [
      [a, true],
      [b, false],
    ],
    jwt: [['j', true]],
  });
  assert.deepEqual(find(tainted, bundle(1, {})), [idOf(a), 'j']);
  assert.deepEqual(find(bundle(3, { x509: [[b, false]] }), tainted), []);
});

test('what was tainted and revoked between two looks is told, too', () => {
  const { find, lines } = open();
  const sound = bundle(1, {
    x509: [
      [a, false],
      [b, false],
    ],
    jwt: [
      ['j', false],
      ['k', false],
    ],
  });
  const revoked = bundle(5, { x509: [[b, false]], jwt: [['k', false]] });
  assert.deepEqual(find(revoked, sound), [idOf(a), 'j']);
  assert.deepEqual(lines, [
    {
      message: 'Authorities were revoked that had not been seen tainted',
      fields: { subject_key_ids: idOf(a), jwt_authority_key_ids: 'j' },
    },
  ]);
});

test('what has expired and was pruned is of no interest', () => {
  const { find, lines } = open();
  const old = bundle(1, { x509: [[a, false]], jwt: [['j', false]] }, NOW + 60);
  const at = a.certificate.notAfter;
  assert.deepEqual(find(bundle(2, { x509: [[b, false]] }), old, at), []);
  assert.deepEqual(lines, []);
});

test('a bundle that is no newer lacks what is only not known there yet', () => {
  const { find } = open();
  const known = bundle(3, {
    x509: [
      [a, false],
      [b, false],
    ],
    jwt: [['j', false]],
  });
  for (const sequence of [2, 3]) {
    assert.deepEqual(find(bundle(sequence, { x509: [[a, false]] }), known), []);
  }
});

test('an SVID is found to be signed by one of them, or not', async () => {
  const leaf = await leafOf(a, 'spiffe://example.org/w');
  const { der } = leaf.certificate;
  assert.equal(await isSignedByAny([b.certificate, a.certificate], der, NOW), true);
  assert.equal(await isSignedByAny([b.certificate], der, NOW), false);
  assert.equal(await isSignedByAny([], der, NOW), false);
  assert.equal(await isSignedByAny([a.certificate], new Uint8Array(), NOW), false);
});
