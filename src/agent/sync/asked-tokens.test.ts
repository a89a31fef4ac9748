import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { AskedTokens } from './asked-tokens.ts';

const spiffeId = SpiffeId.parse('spiffe://asked.test/web');
const token = (id: string, audience: readonly string[] = ['a']) => ({
  entry: { id, spiffeId },
  audience,
});
const always = () => true;

test('the oldest go when there are too many; asking again makes a token the newest', () => {
  const tokens = new AskedTokens(2);
  for (const id of ['1', '2', '1', '3']) tokens.note(id, token(id));
  assert.deepEqual(
    tokens.take(always, always).map(({ entry }) => entry.id),
    ['1', '3'],
  );
  assert.equal(tokens.size, 0);
});

test('one with very long audiences is not remembered', () => {
  const tokens = new AskedTokens(2);
  tokens.note('1', token('1', ['x'.repeat(1000), 'y'.repeat(25)]));
  assert.equal(tokens.size, 0);
});

test('what is not due stays; what belongs to nobody any more is forgotten', () => {
  const tokens = new AskedTokens(3);
  for (const id of ['due', 'young', 'gone']) tokens.note(id, token(id));
  const due = tokens.take(
    ({ entry }) => entry.id === 'due',
    (id) => id !== 'gone',
  );
  assert.deepEqual(due, [token('due')]);
  assert.equal(tokens.size, 1);
});
