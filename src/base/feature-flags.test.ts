import assert from 'node:assert/strict';
import { test } from 'node:test';
import { featureFlagComplaint } from './feature-flags.ts';

test('the known flags are accepted', () => {
  assert.equal(featureFlagComplaint([]), undefined);
  assert.equal(featureFlagComplaint(['wit-svid', 'i_am_a_test_flag']), undefined);
});

test('unknown ones are listed, sorted', () => {
  assert.equal(
    featureFlagComplaint(['zebra', 'wit-svid', 'apple']),
    'error loading feature flags: unknown feature flag(s): [apple zebra]',
  );
});
