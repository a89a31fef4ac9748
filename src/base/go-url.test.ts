import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from './fault.ts';
import { parseGoUrl } from './go-url.ts';

const printed: readonly [url: string, text: string][] = [
  ['HTTPS://B.test/Bundle?q=%zz#f', 'https://B.test/Bundle?q=%zz#f'],
  ['https://b.test:8443', 'https://b.test:8443'],
  ['https://b.test:', 'https://b.test:'],
  ['https://[::1]:8443/x', 'https://[::1]:8443/x'],
  ['https://b.test/a%2fb', 'https://b.test/a%2fb'],
  ['https://b.test/a%2fb c', 'https://b.test/a/b%20c'],
  ['https://b.test/ü', 'https://b.test/%C3%BC'],
  ['https://bü.test/', 'https://b%C3%BC.test/'],
  ["https://b.test/a'b", "https://b.test/a'b"],
  ['https:opaque', 'https:opaque'],
  ['', ''],
  ['/path', '/path'],
];
for (const [url, text] of printed) {
  test(`${JSON.stringify(url)} is printed as Go prints it`, () => {
    assert.equal(parseGoUrl(url).text, text);
  });
}

test('the parts are told apart', () => {
  assert.deepEqual(parseGoUrl('https://user:secret@b.test:1/x'), {
    scheme: 'https',
    hasUserInfo: true,
    host: 'b.test:1',
    text: 'https://user:secret@b.test:1/x',
  });
  assert.equal(parseGoUrl('https:/x').host, '');
  assert.equal(parseGoUrl('https://@b.test').hasUserInfo, true);
  assert.equal(parseGoUrl('b.test/x').scheme, '');
});

const refusals: readonly [url: string, reason: string][] = [
  ['https://b.test/%', 'invalid URL escape "%"'],
  ['https://b.test/%zz', 'invalid URL escape "%zz"'],
  ['https://b.test:x', 'invalid port ":x" after host'],
  ['https://[::1]x', 'invalid port "x" after host'],
  ['https://[::1', "missing ']' in host"],
  ['https://b test', 'invalid character " " in host name'],
  ['https://b%41.test', 'invalid URL escape "%41"'],
  ['https://b.test\n', 'net/url: invalid control character in URL'],
  ['https://us er@b.test', 'net/url: invalid userinfo'],
  ['://b.test', 'missing protocol scheme'],
  ['1a:b', 'first path segment in URL cannot contain colon'],
];
for (const [url, reason] of refusals) {
  test(`${JSON.stringify(url)} is refused in Go's words`, () => {
    assert.throws(() => parseGoUrl(url), {
      kind: 'invalid',
      message: `parse ${JSON.stringify(url)}: ${reason}`,
    });
  });
}

test('whatever it is given, it answers or refuses, and what it prints it reads again', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.string({ unit: 'binary' })), (text) => {
      try {
        const { text: once } = parseGoUrl(text);
        assert.equal(parseGoUrl(once).text, once);
      } catch (error) {
        assert.ok(error instanceof Fault, String(error));
      }
    }),
  );
});
