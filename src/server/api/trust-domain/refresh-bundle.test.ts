import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCall } from '../../../../test/kit/api-call.ts';
import { FakeBundleManager } from '../../../../test/kit/bundle-manager.ts';
import { Fault } from '../../../base/fault.ts';
import { refreshBundle } from './refresh-bundle.ts';

test('answers when the bundle was refreshed', async () => {
  const bundleManager = new FakeBundleManager();
  bundleManager.known.add('b.test');
  const call = testCall();
  assert.deepEqual(
    await refreshBundle({ bundleManager }, { trustDomain: 'spiffe://b.test/x' }, call),
    {},
  );
  assert.deepEqual(bundleManager.refreshed, ['b.test']);
  assert.deepEqual(call.audited, { trust_domain_id: 'spiffe://b.test/x' });
  assert.deepEqual(call.lines, [
    { message: 'Bundle refreshed', fields: { trust_domain_id: 'b.test' } },
  ]);
});

test('refuses what is no trust domain, without naming it in the audit record', async () => {
  const call = testCall();
  await assert.rejects(
    refreshBundle({ bundleManager: new FakeBundleManager() }, { trustDomain: '' }, call),
    { kind: 'invalid', message: 'failed to parse trust domain: trust domain is missing' },
  );
  assert.deepEqual(call.audited, {});
});

test('refuses a trust domain that there is no relationship with', async () => {
  await assert.rejects(
    refreshBundle(
      { bundleManager: new FakeBundleManager() },
      { trustDomain: 'spiffe://b.test/x' },
      testCall(),
    ),
    { kind: 'not-found', message: 'no relationship with trust domain "b.test"' },
  );
});

test('tells why the bundle could not be fetched', async () => {
  const bundleManager = new FakeBundleManager();
  bundleManager.failure = new Fault('unavailable', 'nobody there');
  await assert.rejects(refreshBundle({ bundleManager }, { trustDomain: 'b' }, testCall()), {
    kind: 'internal',
    message: 'failed to refresh bundle: nobody there',
  });
});
