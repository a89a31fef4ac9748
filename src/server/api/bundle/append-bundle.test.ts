import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { ApiWorld, apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { generateKey } from '../../../crypto/keys.ts';
import { AppendBundleRequestSchema } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { sha256Hex } from '../audit-values.ts';
import { appendBundle } from './append-bundle.ts';

/** A CA certificate that nobody has: that of another world. */
async function foreignAuthority(): Promise<Uint8Array> {
  const other = new ApiWorld();
  await other.open();
  const der = other.ownBundle.x509Authorities[0]?.der;
  await other.close();
  assert.ok(der);
  return der;
}

apiSuite('AppendBundle', (world) => {
  const append = async (
    init: Init<typeof AppendBundleRequestSchema>,
    { call = testCall(), deps = world.deps } = {},
  ) => {
    const answer = await appendBundle(deps, create(AppendBundleRequestSchema, init), call);
    assert.ok('trustDomain' in answer);
    return answer;
  };
  const jwtKey = async (keyId: string) => ({
    publicKey: (await generateKey('ec-p256')).publicKey.spki,
    keyId,
    expiresAt: 2_000_000_000n,
  });

  test('adds what the bundle lacks, and counts one change', async () => {
    const before = world.ownBundle;
    const asn1 = await foreignAuthority();
    const key = await jwtKey('new');
    const call = testCall();
    const answer = await append({ x509Authorities: [{ asn1 }], jwtAuthorities: [key] }, { call });
    assert.equal(answer.x509Authorities?.length, 2);
    assert.equal(answer.jwtAuthorities?.at(-1)?.keyId, 'new');
    assert.equal(answer.sequenceNumber, before.sequenceNumber + 1n);
    assert.equal(world.ownBundle.x509Authorities.length, 2);
    assert.deepEqual(call.audited, {
      'jwt_authority_expires_at.0': 2_000_000_000n,
      'jwt_authority_key_id.0': 'new',
      'jwt_authority_public_key_sha256.0': sha256Hex(key.publicKey),
      'x509_authorities_asn1_sha256.0': sha256Hex(asn1),
    });
  });

  test('what is there already changes nothing, and is answered with', async () => {
    const before = world.ownBundle;
    const asn1 = before.x509Authorities[0]?.der ?? new Uint8Array();
    const answer = await append({
      x509Authorities: [{ asn1 }],
      outputMask: { sequenceNumber: true },
    });
    assert.deepEqual(answer, {
      trustDomain: 'example.org',
      sequenceNumber: before.sequenceNumber,
    });
  });

  test('the same key ID with another key is another authority', async () => {
    await append({ jwtAuthorities: [await jwtKey('same')] });
    const answer = await append({ jwtAuthorities: [await jwtKey('same')] });
    assert.equal(answer.jwtAuthorities?.filter(({ keyId }) => keyId === 'same').length, 2);
  });

  const spki = async () => (await world.key()).publicKey.spki;
  const refusals: [
    why: string,
    init: () => Promise<Init<typeof AppendBundleRequestSchema>>,
    message: string | RegExp,
  ][] = [
    ['nothing', async () => ({}), 'no authorities to append'],
    [
      'WIT keys alone',
      async () => ({ witAuthorities: [{ publicKey: await spki(), keyId: 'w' }] }),
      'no authorities to append',
    ],
    [
      'a JWT key that is none, before all else',
      async () => ({
        jwtAuthorities: [{ publicKey: Buffer.from('no'), keyId: 'k' }],
        x509Authorities: [{ asn1: Buffer.from('no') }],
      }),
      /^failed to convert JWT authority: ./,
    ],
    [
      'a JWT key without ID',
      async () => ({ jwtAuthorities: [{ publicKey: await spki() }] }),
      'failed to convert JWT authority: missing key ID',
    ],
    [
      'a certificate that is none',
      async () => ({ x509Authorities: [{ asn1: Buffer.from('no') }] }),
      /^failed to convert X\.509 authority: ./,
    ],
  ];
  for (const [why, init, message] of refusals) {
    test(`refuses ${why}, and changes nothing`, async () => {
      const before = world.ownBundle;
      await assert.rejects(append(await init()), { kind: 'invalid', message });
      assert.equal(world.ownBundle, before);
    });
  }

  test('a failing datastore is told of', async () => {
    const bundles = {
      ...world.deps.bundles,
      async modify(): Promise<never> {
        throw new Fault('unknown', 'datastore-sql: database is locked');
      },
    };
    const init = { jwtAuthorities: [await jwtKey('k')] };
    await assert.rejects(append(init, { deps: { ...world.deps, bundles } }), {
      kind: 'internal',
      message: 'failed to append bundle: datastore-sql: database is locked',
    });
  });
});
