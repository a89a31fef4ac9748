import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import {
  BatchCreateFederatedBundleRequestSchema,
  BatchSetFederatedBundleRequestSchema,
  BatchUpdateFederatedBundleRequestSchema,
} from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import type {
  BundleMaskSchema,
  BundleSchema,
} from '../../../wire/gen/spire/api/types/bundle_pb.ts';
import { sha256Hex } from '../audit-values.ts';
import { batchCreateFederatedBundle } from './batch-create-federated-bundle.ts';
import { batchSetFederatedBundle } from './batch-set-federated-bundle.ts';
import { batchUpdateFederatedBundle } from './batch-update-federated-bundle.ts';

type Bundle = Init<typeof BundleSchema>;
type Mask = Init<typeof BundleMaskSchema>;

apiSuite('BatchCreate-, BatchUpdate- and BatchSetFederatedBundle', (world) => {
  const call = testCall;
  const createOne = async (bundle: Bundle, outputMask?: Mask) => {
    const made = call();
    const request = create(BatchCreateFederatedBundleRequestSchema, {
      bundle: [bundle],
      ...(outputMask && { outputMask }),
    });
    const { results } = await batchCreateFederatedBundle(world.deps, request, made);
    return { result: results[0], call: made };
  };
  const setOne = async (bundle: Bundle, outputMask?: Mask) => {
    const made = call();
    const request = create(BatchSetFederatedBundleRequestSchema, {
      bundle: [bundle],
      ...(outputMask && { outputMask }),
    });
    const { results } = await batchSetFederatedBundle(world.deps, request, made);
    return { result: results[0], call: made };
  };
  const updateOne = async (bundle: Bundle, inputMask?: Mask, outputMask?: Mask) => {
    const made = call();
    const request = create(BatchUpdateFederatedBundleRequestSchema, {
      bundle: [bundle],
      ...(inputMask && { inputMask }),
      ...(outputMask && { outputMask }),
    });
    const { results } = await batchUpdateFederatedBundle(world.deps, request, made);
    return { result: results[0], call: made };
  };
  const stored = (name: string) => world.deps.bundles.get(TrustDomain.parse(name));
  const asn1 = () => world.ownBundle.x509Authorities[0]?.der ?? new Uint8Array();
  const whole = (trustDomain: string, more: Bundle = {}): Bundle => ({
    trustDomain,
    x509Authorities: [{ asn1: asn1(), tainted: true }],
    refreshHint: 60n,
    sequenceNumber: 42n,
    ...more,
  });

  test('creates a bundle as it is given, without taint', async () => {
    const { result, call: made } = await createOne(whole('spiffe://new.test'));
    assert.deepEqual(result?.status, { code: 0, message: 'OK' });
    assert.equal(result?.bundle?.trustDomain, 'new.test');
    assert.deepEqual(result?.bundle?.x509Authorities, [{ asn1: asn1(), tainted: false }]);
    assert.equal(stored('new.test')?.sequenceNumber, 42n);
    assert.equal(stored('new.test')?.refreshHintSeconds, 60);
    assert.deepEqual(made.items[0]?.fields, {
      trust_domain_id: 'spiffe://new.test',
      refresh_hint: 60n,
      sequence_number: 42n,
      'x509_authorities_asn1_sha256.0': sha256Hex(asn1()),
    });
  });

  test('does not create what exists', async () => {
    await world.bundle('taken.test', { sequenceNumber: 1n });
    const { result } = await createOne(whole('taken.test'));
    assert.deepEqual(result, { status: { code: 6, message: 'bundle already exists' } });
    assert.equal(stored('taken.test')?.sequenceNumber, 1n);
  });

  test('sets a bundle, whether there is one or not', async () => {
    const { result: first, call: made } = await setOne(whole('set.test'));
    assert.equal(first?.status?.code, 0);
    assert.equal(made.lines[0]?.message, 'Bundle set successfully');
    const { result: second, call: again } = await setOne({
      trustDomain: 'spiffe://set.test',
      sequenceNumber: 1n,
    });
    assert.deepEqual(again.lines[0]?.fields, { trust_domain_id: 'spiffe://set.test' }); // as given
    assert.equal(second?.bundle?.sequenceNumber, 1n);
    assert.deepEqual(stored('set.test')?.x509Authorities, []);
  });

  test('updates what the mask names, and keeps WIT keys', async () => {
    const wit = {
      publicKey: (await world.key()).publicKey.spki,
      keyId: 'w',
      expiresAt: 0,
      tainted: false,
    };
    await world.bundle('part.test', {
      sequenceNumber: 1n,
      refreshHintSeconds: 5,
      witAuthorities: [wit],
    });
    const { result, call: made } = await updateOne(whole('part.test'), {
      sequenceNumber: true,
      witAuthorities: true,
    });
    assert.equal(result?.status?.code, 0);
    assert.equal(stored('part.test')?.sequenceNumber, 42n);
    assert.equal(stored('part.test')?.refreshHintSeconds, 5);
    assert.deepEqual(stored('part.test')?.x509Authorities, []);
    assert.equal(result?.bundle?.refreshHint, 5n);
    assert.equal(stored('part.test')?.witAuthorities.length, 1);
    assert.deepEqual(made.items[0]?.fields, { trust_domain_id: 'part.test', sequence_number: 42n });
  });

  test('without a mask an update replaces everything', async () => {
    const wit = {
      publicKey: (await world.key()).publicKey.spki,
      keyId: 'w',
      expiresAt: 0,
      tainted: false,
    };
    await world.bundle('all.test', { refreshHintSeconds: 5, witAuthorities: [wit] });
    await updateOne({ trustDomain: 'all.test', sequenceNumber: 2n });
    assert.equal(stored('all.test')?.refreshHintSeconds, 0);
    assert.deepEqual(stored('all.test')?.witAuthorities, []);
  });

  test('does not update what is not there', async () => {
    const { result } = await updateOne(whole('missing.test'));
    assert.deepEqual(result, { status: { code: 5, message: 'bundle not found' } });
    assert.equal(stored('missing.test'), undefined);
  });

  test('masks leave the name and what they name', async () => {
    const expected = { trustDomain: 'mask.test', sequenceNumber: 42n };
    const mask = { sequenceNumber: true };
    const results = [
      await createOne(whole('mask.test'), mask),
      await setOne(whole('mask.test'), mask),
      await updateOne(whole('mask.test'), undefined, mask),
    ];
    for (const { result } of results) assert.deepEqual(result?.bundle, expected);
  });

  const methods = [
    { verb: 'creating', act: createOne },
    { verb: 'updating', act: (bundle: Bundle) => updateOne(bundle, { sequenceNumber: true }) },
    { verb: 'setting', act: setOne },
  ];
  const refusals: [why: string, bundle: Bundle, message: string | RegExp][] = [
    ['without name', {}, 'trust domain argument is not valid: trust domain is missing'],
    ['with a malformed name', { trustDomain: 'NO' }, /^trust domain argument is not valid: ./],
    [
      'with a certificate that is none',
      { trustDomain: 'x.test', x509Authorities: [{ asn1: Buffer.from('no') }] },
      /^failed to convert bundle: unable to parse X\.509 authority: ./,
    ],
    [
      'with a JWT key that is none',
      { trustDomain: 'x.test', jwtAuthorities: [{ publicKey: Buffer.from('no'), keyId: 'k' }] },
      /^failed to convert bundle: unable to parse JWT authority: ./,
    ],
  ];
  for (const { verb, act } of methods) {
    for (const [why, bundle, message] of refusals) {
      test(`${verb}: refuses a bundle ${why}`, async () => {
        const { result, call: made } = await act(bundle);
        assert.equal(result?.status?.code, 3);
        const text = result?.status?.message ?? '';
        if (typeof message === 'string') assert.equal(text, message);
        else assert.match(text, message);
        assert.equal(result?.bundle, undefined);
        assert.equal(made.items[0]?.refusal, text);
        assert.equal(stored('x.test'), undefined);
      });
    }

    test(`${verb}: refuses the own bundle`, async () => {
      const { result } = await act({ trustDomain: 'example.org' });
      assert.deepEqual(result?.status, {
        code: 3,
        message: `${verb} a federated bundle for the server's own trust domain is not allowed`,
      });
    });
  }

  test('a failing datastore is told of', async () => {
    const lost = async (): Promise<never> => {
      throw new Fault('unknown', 'datastore-sql: gone');
    };
    const bundles = { create: lost, set: lost, modify: lost };
    const deps = { bundles, trustDomain: world.trustDomain };
    const bundle = [whole('lost.test')];
    const outcomes = [
      await batchCreateFederatedBundle(
        deps,
        create(BatchCreateFederatedBundleRequestSchema, { bundle }),
        call(),
      ),
      await batchUpdateFederatedBundle(
        deps,
        create(BatchUpdateFederatedBundleRequestSchema, { bundle }),
        call(),
      ),
      await batchSetFederatedBundle(
        deps,
        create(BatchSetFederatedBundleRequestSchema, { bundle }),
        call(),
      ),
    ];
    assert.deepEqual(
      outcomes.map(({ results }) => results[0]?.status),
      [
        { code: 13, message: 'unable to create bundle: datastore-sql: gone' },
        { code: 13, message: 'failed to update bundle: datastore-sql: gone' },
        { code: 13, message: 'failed to set bundle: datastore-sql: gone' },
      ],
    );
  });
});
