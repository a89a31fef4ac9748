import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testCall } from '../../../../test/kit/api-call.ts';
import { Fault } from '../../../base/fault.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { isServing } from './is-serving.ts';

const trustDomain = TrustDomain.parse('example.org');

test('serves who can fetch its bundle', async () => {
  const call = testCall();
  const storedBundles = { get: async () => ({ rowId: 1, value: emptyBundle(trustDomain) }) };
  assert.equal(await isServing({ storedBundles, trustDomain }, call), true);
  assert.deepEqual(call.lines, []);
});

test('does not serve without a bundle', async () => {
  const call = testCall();
  const storedBundles = { get: async () => undefined };
  assert.equal(await isServing({ storedBundles, trustDomain }, call), false);
  assert.deepEqual(call.lines, [
    { message: 'Health check failed', fields: { reason: 'bundle is missing' } },
  ]);
});

test('does not serve without its datastore', async () => {
  const call = testCall();
  const storedBundles = {
    async get(): Promise<never> {
      throw new Fault('unavailable', 'datastore-sql: gone');
    },
  };
  assert.equal(await isServing({ storedBundles, trustDomain }, call), false);
  assert.deepEqual(call.lines[0]?.fields, {
    reason: 'unable to fetch bundle',
    error: 'datastore-sql: gone',
  });
});
