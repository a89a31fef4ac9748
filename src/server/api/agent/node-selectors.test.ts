import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { nodeSelectors } from './node-selectors.ts';

const id = SpiffeId.parse('spiffe://example.org/spire/agent/a');

test('each once, sorted, under the name of the attestor', () => {
  assert.deepEqual(nodeSelectors('x509pop', ['b', 'a', 'b'], undefined), [
    { type: 'x509pop', value: 'a' },
    { type: 'x509pop', value: 'b' },
  ]);
});

test('the own ID too, if it is asked for', () => {
  assert.deepEqual(nodeSelectors('x509pop', ['a'], id), [
    { type: 'spiffe_id', value: 'spiffe://example.org/spire/agent/a' },
    { type: 'x509pop', value: 'a' },
  ]);
  assert.deepEqual(nodeSelectors('join_token', [], id), [
    { type: 'spiffe_id', value: 'spiffe://example.org/spire/agent/a' },
  ]);
});

test('none where there are none', () => {
  assert.deepEqual(nodeSelectors('join_token', [], undefined), []);
});
