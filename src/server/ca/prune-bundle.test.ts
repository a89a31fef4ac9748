import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { generateKey } from '../../crypto/keys.ts';
import { buildCertificate, randomSerialNumber } from '../../crypto/x509/build-certificate.ts';
import { type Bundle, emptyBundle, type X509Authority } from '../../spiffe/bundle.ts';
import { selfSignedCaTemplate } from '../../spiffe/profiles.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { pruneBundle } from './prune-bundle.ts';

const trustDomain = TrustDomain.parse('example.org');
const NOW = 10_000;

/** Of one that ends at that time. */
async function rootEndingAt(notAfter: number): Promise<X509Authority> {
  const key = await generateKey('ec-p256');
  const basics = {
    serialNumber: randomSerialNumber(),
    publicKey: key.publicKey.spki,
    notBefore: 0,
    notAfter,
  };
  const template = selfSignedCaTemplate(trustDomain, {}, basics);
  return { der: await buildCertificate(template, key), tainted: false };
}

const keyEndingAt = (expiresAt: number) => ({
  publicKey: Uint8Array.of(1),
  keyId: `until ${expiresAt}`,
  expiresAt,
  tainted: false,
});

let expired: X509Authority;
let fresh: X509Authority;
let bundle: Bundle;

before(async () => {
  expired = await rootEndingAt(NOW);
  fresh = await rootEndingAt(NOW + 1);
  bundle = {
    ...emptyBundle(trustDomain),
    x509Authorities: [expired, fresh],
    jwtAuthorities: [keyEndingAt(NOW), keyEndingAt(NOW + 1)],
    witAuthorities: [keyEndingAt(0), keyEndingAt(NOW + 1)],
    refreshHintSeconds: 300,
    sequenceNumber: 9n,
  };
});

test('what ended at or before the moment goes, the refresh hint with it', () => {
  const pruned = pruneBundle(bundle, NOW);
  assert.deepEqual(pruned.bundle, {
    ...bundle,
    x509Authorities: [fresh],
    jwtAuthorities: [keyEndingAt(NOW + 1)],
    witAuthorities: [keyEndingAt(NOW + 1)],
    refreshHintSeconds: 0,
    sequenceNumber: 10n,
  });
  assert.deepEqual(
    pruned.certificates.map(({ notAfter }) => notAfter),
    [NOW],
  );
  assert.deepEqual(pruned.jwtKeys, [keyEndingAt(NOW)]);
  assert.deepEqual(pruned.witKeys, [keyEndingAt(0)]);
});

test('nothing changes where nothing has ended', () => {
  const kept = { ...bundle, x509Authorities: [fresh], jwtAuthorities: [], witAuthorities: [] };
  assert.equal(pruneBundle(kept, NOW).bundle, undefined);
});

test('a record of several certificates goes when one of them has ended', () => {
  const both = { der: Buffer.concat([fresh.der, expired.der]), tainted: false };
  const pruned = pruneBundle({ ...bundle, x509Authorities: [both, fresh] }, NOW);
  assert.deepEqual(pruned.bundle?.x509Authorities, [fresh]);
});

for (const [what, without] of [
  ['certificates', () => ({ x509Authorities: [expired] })],
  ['certificates', () => ({ x509Authorities: [] })],
  ['JWT signing keys', () => ({ jwtAuthorities: [keyEndingAt(1)] })],
  ['WIT signing keys', () => ({ witAuthorities: [keyEndingAt(0)] })],
] as const) {
  test(`refuses to leave nothing of the ${what}`, () => {
    assert.throws(() => pruneBundle({ ...bundle, ...without() }, NOW), {
      kind: 'failed-precondition',
      message: `prune failed: would prune all ${what}`,
    });
  });
}
