import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readPem, writePem } from './pem.ts';

const block = writePem('CERTIFICATE', Uint8Array.of(1, 2, 3));

test('a block is written in lines of 64 characters', () => {
  assert.equal(block, '-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n');
  const [, first, second, last] = writePem('X', new Uint8Array(60)).split('\n');
  assert.deepEqual([first?.length, second?.length, last], [64, 16, '-----END X-----']);
});

test('blocks read as they were written, whatever text is around them', () => {
  const filler = fc.string().filter((text) => !text.includes('-----BEGIN '));
  const content = fc.uint8Array({ minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.array(fc.tuple(filler, content), { maxLength: 5 }), filler, (blocks, end) => {
      const text = blocks.map(([before, der]) => `${before}\n${writePem('A B', der)}`).join('');
      assert.deepEqual(
        readPem(text + end),
        blocks.map(([, der]) => ({ type: 'A B', der })),
      );
    }),
  );
});

for (const [what, text] of [
  ['CR LF line ends', block.replaceAll('\n', '\r\n')],
  ['no line feed at the end', block.trimEnd()],
  ['white space at the ends of lines', block.replaceAll('\n', ' \t\n')],
  ['lines of any length', block.replace('AQID', 'A\nQI\n\nD')],
  ['headers', block.replace('AQID', 'Comment: from a friend\nX: y\n\nAQID')],
  ['bytes instead of a text', Buffer.from(block)],
] as const) {
  test(`a block is read with ${what}`, () => {
    assert.deepEqual(readPem(text), [{ type: 'CERTIFICATE', der: Uint8Array.of(1, 2, 3) }]);
  });
}

for (const text of ['', 'no block', '-----END CERTIFICATE-----', ' -----BEGIN CERTIFICATE-----']) {
  test(`there is no block in ${JSON.stringify(text)}`, () => {
    assert.deepEqual(readPem(text), []);
  });
}

for (const [why, text] of [
  ['that never ends', block.slice(0, 40)],
  ['that ends as another', block.replace('END CERTIFICATE', 'END PRIVATE KEY')],
  ['with another inside', block.replace('AQID', block)],
  ['without content', block.replace('AQID\n', '')],
  ['with characters that are not base64', block.replace('AQID', 'AQ!D')],
  ['in the base64 of URLs', block.replace('AQID', '_-ID')],
  ['without padding', block.replace('AQID', 'AQI')],
  ['with stray bits', block.replace('AQID', 'AQJ=')],
  ['without a type', block.replaceAll('CERTIFICATE', '')],
  ['without the dashes after its type', block.replace('CERTIFICATE-----', 'CERTIFICATE')],
  [
    'that is encrypted',
    block.replace('AQID', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID'),
  ],
] as const) {
  test(`the PEM reader refuses a block ${why}`, () => {
    assert.throws(() => readPem(`text\n${block}${text}`), {
      kind: 'invalid',
      message: /^malformed PEM block 2: /,
    });
  });
}

test('the PEM reader refuses a text of more than 16 MiB', () => {
  assert.throws(() => readPem(new Uint8Array(16 * 1024 * 1024 + 1)), { kind: 'invalid' });
});
