import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { testCall } from '../../../../test/kit/api-call.ts';
import { apiSuite } from '../../../../test/kit/api-world.ts';
import { Fault } from '../../../base/fault.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { BatchDeleteFederatedBundleRequestSchema } from '../../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { batchDeleteFederatedBundle } from './batch-delete-federated-bundle.ts';

const [RESTRICT, DELETE, DISSOCIATE] = [0, 1, 2] as const;

apiSuite('BatchDeleteFederatedBundle', (world) => {
  const remove = async (trustDomains: string[], mode: 0 | 1 | 2, deps = world.deps) => {
    const call = testCall();
    const request = create(BatchDeleteFederatedBundleRequestSchema, { trustDomains, mode });
    const { results } = await batchDeleteFederatedBundle(deps, request, call);
    return { results, call };
  };
  const stored = (name: string) => world.deps.bundles.get(TrustDomain.parse(name));
  const federated = async (name: string) => {
    const { trustDomain } = await world.bundle(`${name}.test`);
    await world.entry({ id: name, spiffeId: world.id(`/${name}`), federatesWith: [trustDomain] });
  };

  test('deletes bundles, and says of each what became of it', async () => {
    await world.bundle('b.test');
    const { results, call } = await remove(['spiffe://b.test', 'b.test'], RESTRICT);
    assert.deepEqual(results, [
      { status: { code: 0, message: 'OK' }, trustDomain: 'spiffe://b.test' },
      { status: { code: 5, message: 'bundle not found' }, trustDomain: 'b.test' },
    ]);
    assert.equal(stored('b.test'), undefined);
    assert.deepEqual(call.items[0]?.fields, {
      trust_domain_id: 'spiffe://b.test',
      mode: { text: 'RESTRICT', json: 0 },
    });
    assert.equal(call.lines[0]?.fields['delete_federated_bundle_mode'], 'RESTRICT');
  });

  test('does not delete what entries federate with', async () => {
    await federated('kept');
    const { results } = await remove(['kept.test'], RESTRICT);
    assert.deepEqual(results[0]?.status, {
      code: 9,
      message:
        'failed to delete federated bundle: datastore-sql: cannot delete bundle; federated with 1 registration entries',
    });
    assert.ok(stored('kept.test'));
  });

  test('DELETE deletes the entries too', async () => {
    await federated('gone');
    const { results } = await remove(['gone.test'], DELETE);
    assert.equal(results[0]?.status?.code, 0);
    assert.equal(world.deps.entries.get('gone'), undefined);
  });

  test('DISSOCIATE keeps the entries', async () => {
    await federated('loose');
    const { results } = await remove(['loose.test'], DISSOCIATE);
    assert.equal(results[0]?.status?.code, 0);
    assert.deepEqual(world.deps.entries.get('loose')?.federatesWith, []);
  });

  const refusals: [why: string, trustDomain: string, message: string | RegExp][] = [
    ['no name', '', 'trust domain argument is not valid: trust domain is missing'],
    ['a malformed name', 'NO', /^trust domain argument is not valid: ./],
    [
      'the own name',
      'example.org',
      'removing the bundle for the server trust domain is not allowed',
    ],
  ];
  for (const [why, trustDomain, message] of refusals) {
    test(`refuses ${why}`, async () => {
      const { results } = await remove([trustDomain], DELETE);
      assert.equal(results[0]?.status?.code, 3);
      assert.equal(results[0]?.trustDomain, trustDomain);
      const text = results[0]?.status?.message ?? '';
      if (typeof message === 'string') assert.equal(text, message);
      else assert.match(text, message);
      assert.ok(stored('example.org'));
    });
  }

  test('refuses a mode that it does not know, as a whole', async () => {
    await assert.rejects(remove(['b.test'], 3 as never), {
      kind: 'invalid',
      message: 'failed to parse deletion mode: unhandled delete mode "3"',
    });
  });

  test('a failing datastore is told of, with its code', async () => {
    const bundles = {
      async delete(): Promise<never> {
        throw new Fault('unavailable', 'datastore-sql: gone');
      },
    };
    const { results } = await remove(['b.test'], DELETE, { ...world.deps, bundles } as never);
    assert.deepEqual(results[0]?.status, {
      code: 14,
      message: 'failed to delete federated bundle: datastore-sql: gone',
    });
  });
});
