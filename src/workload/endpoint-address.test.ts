import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEndpoint } from './endpoint-address.ts';

for (const [uri, address] of [
  ['unix:///path/to/endpoint.sock', 'unix:/path/to/endpoint.sock'],
  ['UNIX:///path', 'unix:/path'],
  ['unix:/path', 'unix:/path'],
  ['tcp://1.2.3.4:5', '1.2.3.4:5'],
  ['tcp://127.0.0.1:8000', '127.0.0.1:8000'],
  ['tcp://[::1]:80', '[::1]:80'],
] as const) {
  test(`E-6, E-7, E-8: ${uri} is ${address}`, () => {
    assert.equal(parseEndpoint(uri), address);
  });
}

const scheme = 'socket URI must have a "tcp" or "unix" scheme';
const refused: [uri: string, message: string][] = [
  ['\t', 'socket is not a valid URI: parse "\\t": net/url: invalid control character in URL'],
  ['blah', scheme],
  ['', scheme],
  ['http://1.2.3.4:5', scheme],
  ['constructor://x', scheme],
  ['tcp:opaque', 'tcp socket URI must not be opaque'],
  ['tcp://', 'tcp socket URI must include a host'],
  ['tcp://1.2.3.4:5?whatever', 'tcp socket URI must not include query values'],
  ['tcp://1.2.3.4:5#whatever', 'tcp socket URI must not include a fragment'],
  ['tcp://john:doe@1.2.3.4:5/path', 'tcp socket URI must not include user info'],
  ['tcp://1.2.3.4:5/path', 'tcp socket URI must not include a path'],
  ['tcp://foo', 'tcp socket URI host component must be an IP:port'],
  ['tcp://foo:80', 'tcp socket URI host component must be an IP:port'],
  ['tcp://1.2.3.4', 'tcp socket URI host component must include a port'],
  ['unix:opaque', 'unix socket URI must not be opaque'],
  ['unix://', 'unix socket URI must include a path'],
  ['unix://foo?whatever', 'unix socket URI must not include query values'],
  ['unix://foo#whatever', 'unix socket URI must not include a fragment'],
  ['unix://john:doe@foo/path', 'unix socket URI must not include user info'],
  ['unix://foo', 'unix socket URI must have an absolute path and no authority'],
  ['unix://foo/path', 'unix socket URI must have an absolute path and no authority'],
];
for (const [uri, message] of refused) {
  test(`E-6, E-7, E-8: refuses ${JSON.stringify(uri)}`, () => {
    assert.throws(() => parseEndpoint(uri), {
      kind: 'invalid',
      message: `workload endpoint ${message}`,
    });
  });
}

test('no text does anything but parse or be refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        fc.string().map((s) => `tcp://${s}`),
      ),
      (text) => {
        try {
          assert.match(parseEndpoint(text), /^unix:\/|:\d+$/);
        } catch (error) {
          assert.equal((error as Error).name, 'Fault');
        }
      },
    ),
  );
});
