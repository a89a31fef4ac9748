import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commaList, rfc3339, sha256Hex } from './audit-values.ts';

test('bytes are told apart by their SHA-256', () => {
  assert.equal(
    sha256Hex(Buffer.from('abc')),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('no bytes have no digest', () => {
  assert.equal(sha256Hex(new Uint8Array()), '');
});

test('times are written as Go does', () => {
  assert.equal(rfc3339(1_893_553_445), '2030-01-02T03:04:05Z');
});

test('lists are joined by commas', () => {
  assert.equal(commaList(['a', 'b']), 'a,b');
});
