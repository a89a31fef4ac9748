import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authoritiesConfig, CaWorld } from '../../../test/kit/authorities.ts';
import type { Bundle, KeyAuthority } from '../../spiffe/bundle.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import {
  type BundleChange,
  revokeJwtAuthority,
  revokeX509Authority,
  TaintFault,
  taintJwtAuthority,
  taintX509Authority,
} from './taint-bundle.ts';

const jwtKey = (keyId: string, tainted = false): KeyAuthority => ({
  publicKey: Uint8Array.of(1),
  keyId,
  expiresAt: 1,
  tainted,
});

/** A bundle with two X.509 authorities, and the ID of the first. */
async function twoRoots(): Promise<{ bundle: Bundle; id: string }> {
  const world = new CaWorld();
  await using authorities = await world.start({ jwtKeyType: undefined });
  const id = authorities.manager.x509.active?.authorityId ?? '';
  await authorities.manager.x509.inTurn((steps) => steps.prepareNext());
  return { bundle: world.bundle(), id };
}

test('what is tainted stays, marked, and the sequence number grows', async () => {
  const { bundle, id } = await twoRoots();
  const tainted = taintX509Authority(id)(bundle);
  assert.deepEqual(
    tainted.x509Authorities,
    bundle.x509Authorities.map(({ der }, index) => ({ der, tainted: index === 0 })),
  );
  assert.equal(tainted.sequenceNumber, bundle.sequenceNumber + 1n);
  const revoked = revokeX509Authority(id)(tainted);
  assert.deepEqual(revoked.x509Authorities, bundle.x509Authorities.slice(1));
  assert.equal(revoked.sequenceNumber, bundle.sequenceNumber + 2n);
});

test('every record with a certificate of that subject key ID is meant', async () => {
  const { bundle, id } = await twoRoots();
  const [first, second] = bundle.x509Authorities;
  assert.ok(first && second);
  const together = { der: Buffer.concat([second.der, first.der]), tainted: false };
  const tainted = taintX509Authority(id)({ ...bundle, x509Authorities: [first, second, together] });
  assert.deepEqual(
    tainted.x509Authorities.map((authority) => authority.tainted),
    [true, false, true],
  );
  assert.deepEqual(revokeX509Authority(id)(tainted).x509Authorities, [second]);
});

test('a JWT authority is tainted, then revoked, however often it was added', () => {
  const bundle = {
    ...emptyBundle(authoritiesConfig.trustDomain),
    jwtAuthorities: [jwtKey('a'), jwtKey('b'), { ...jwtKey('a'), expiresAt: 2 }],
  };
  const tainted = taintJwtAuthority('a')(bundle);
  assert.deepEqual(
    tainted.jwtAuthorities.map((key) => key.tainted),
    [true, false, true],
  );
  const revoked = revokeJwtAuthority('a')(tainted);
  assert.deepEqual(revoked.jwtAuthorities, [jwtKey('b')]);
  assert.equal(revoked.sequenceNumber, 2n);
});

const jwtBundle: Bundle = {
  ...emptyBundle(authoritiesConfig.trustDomain),
  jwtAuthorities: [jwtKey('tainted', true), jwtKey('sound')],
};

const refusals: [
  why: string,
  change: BundleChange,
  stored: Bundle | undefined,
  kind: string,
  text: string,
][] = [
  [
    'taint an unknown root',
    taintX509Authority('ab'),
    jwtBundle,
    'not-found',
    'no ca found with provided subject key ID',
  ],
  [
    'revoke an unknown root',
    revokeX509Authority('ab'),
    jwtBundle,
    'not-found',
    'no root CA found with provided subject key ID',
  ],
  [
    'taint an unknown key',
    taintJwtAuthority('x'),
    jwtBundle,
    'not-found',
    'no JWT Key found with provided key ID',
  ],
  [
    'revoke an unknown key',
    revokeJwtAuthority('x'),
    jwtBundle,
    'not-found',
    'no JWT Key found with provided key ID',
  ],
  [
    'taint a key again',
    taintJwtAuthority('tainted'),
    jwtBundle,
    'invalid',
    'key is already tainted',
  ],
  [
    'revoke a sound key',
    revokeJwtAuthority('sound'),
    jwtBundle,
    'invalid',
    'it is not possible to revoke an untainted key',
  ],
  [
    'taint where there is no bundle',
    taintX509Authority('ab'),
    undefined,
    'not-found',
    'datastore-sql: record not found',
  ],
  [
    'revoke where there is no bundle',
    revokeJwtAuthority('x'),
    undefined,
    'not-found',
    'datastore-sql: record not found',
  ],
];
for (const [why, change, stored, kind, message] of refusals) {
  test(`does not ${why}`, () => {
    assert.throws(
      () => change(stored),
      (thrown) => {
        assert.ok(thrown instanceof TaintFault);
        assert.deepEqual([thrown.kind, thrown.message], [kind, message]);
        return true;
      },
    );
  });
}

test('neither taints a root twice nor revokes one that is sound', async () => {
  const { bundle, id } = await twoRoots();
  assert.throws(() => revokeX509Authority(id)(bundle), {
    kind: 'invalid',
    message: 'it is not possible to revoke an untainted root CA',
  });
  assert.throws(() => taintX509Authority(id)(taintX509Authority(id)(bundle)), {
    kind: 'invalid',
    message: 'root CA is already tainted',
  });
});
