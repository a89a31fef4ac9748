import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { httpProxyFor } from './http-proxy.ts';

const PROXY = 'http://proxy.test:3128';

const rows: readonly [
  why: string,
  address: string,
  variables: Record<string, string>,
  used: boolean,
][] = [
  ['none is named', 'server.test:8081', {}, false],
  ['one is named', 'server.test:8081', { HTTPS_PROXY: PROXY }, true],
  ['one is named in small letters', 'server.test:8081', { https_proxy: PROXY }, true],
  [
    'only one for plain HTTP is named',
    'server.test:8081',
    { HTTP_PROXY: PROXY, http_proxy: PROXY },
    false,
  ],
  ['the socket is of this machine', 'unix:/run/api.sock', { HTTPS_PROXY: PROXY }, false],
  ['the server is localhost', 'localhost:8081', { HTTPS_PROXY: PROXY }, false],
  ['the server is 127.9.9.9', '127.9.9.9:8081', { HTTPS_PROXY: PROXY }, false],
  ['the server is ::1', '[::1]:8081', { HTTPS_PROXY: PROXY }, false],
  ['the server is another address', '192.0.2.1:8081', { HTTPS_PROXY: PROXY }, true],
  ['nothing is excepted', 'server.test:8081', { HTTPS_PROXY: PROXY, NO_PROXY: '' }, true],
  ['everything is excepted', 'server.test:8081', { HTTPS_PROXY: PROXY, NO_PROXY: 'x, * ' }, false],
  [
    'the name is excepted',
    'server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: 'a.test,server.test' },
    false,
  ],
  [
    'the name is excepted in small letters',
    'Server.test:8081',
    { HTTPS_PROXY: PROXY, no_proxy: 'SERVER.test' },
    false,
  ],
  [
    'its domain is excepted',
    'a.server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: 'server.test' },
    false,
  ],
  [
    'what is below it is excepted',
    'a.server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '.server.test' },
    false,
  ],
  [
    'only what is below it is excepted',
    'server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '.server.test' },
    true,
  ],
  [
    'only what is below it is excepted, by star',
    'server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '*.server.test' },
    true,
  ],
  [
    'a name that ends alike is excepted',
    'myserver.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: 'server.test' },
    true,
  ],
  [
    'its port is excepted',
    'server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: 'server.test:8081' },
    false,
  ],
  [
    'another port is excepted',
    'server.test:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: 'server.test:443' },
    true,
  ],
  [
    'the address is excepted',
    '192.0.2.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '192.0.2.1' },
    false,
  ],
  [
    'the address and port are excepted',
    '192.0.2.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '192.0.2.1:8081' },
    false,
  ],
  [
    'the address with another port is excepted',
    '192.0.2.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '192.0.2.1:1' },
    true,
  ],
  [
    'the network is excepted',
    '192.0.2.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '192.0.2.0/24' },
    false,
  ],
  [
    'another network is excepted',
    '192.0.3.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '192.0.2.0/24' },
    true,
  ],
  [
    'no network is excepted',
    '192.0.3.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '192.0.2.0/99' },
    true,
  ],
  [
    'the IPv6 network is excepted',
    '[2001:db8::1]:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '2001:db8::/32' },
    false,
  ],
  [
    'the IPv6 address is excepted',
    '[2001:db8::1]:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '2001:db8:0::1' },
    false,
  ],
  [
    'a domain that looks like the address is excepted',
    '192.0.2.1:8081',
    { HTTPS_PROXY: PROXY, NO_PROXY: '2.1' },
    true,
  ],
];
describe('a proxy is', () => {
  for (const [why, address, variables, used] of rows) {
    test(`${used ? 'used' : 'not used'} where ${why}`, () => {
      assert.equal(httpProxyFor(address, variables) !== undefined, used);
    });
  }
});

const proxies: readonly [text: string, host: string, port: number, authorization?: string][] = [
  ['http://proxy.test:3128', 'proxy.test', 3128],
  ['proxy.test:3128', 'proxy.test', 3128],
  ['http://proxy.test', 'proxy.test', 80],
  ['http://[2001:db8::1]:3128/', '2001:db8::1', 3128],
  ['http://me:p%40ss@proxy.test', 'proxy.test', 80, `Basic ${btoa('me:p@ss')}`],
  ['http://me@proxy.test', 'proxy.test', 80, `Basic ${btoa('me:')}`],
];
for (const [text, host, port, authorization] of proxies) {
  test(`reads ${text}`, () => {
    assert.deepEqual(httpProxyFor('server.test:8081', { HTTPS_PROXY: text }), {
      host,
      port,
      authorization,
    });
  });
}

for (const text of [
  'https://me:secret@proxy.test',
  'socks5://me:secret@proxy.test',
  'http://',
  'http://me:secret@:x',
]) {
  test(`refuses ${text}, and does not show what is secret`, () => {
    assert.throws(
      () => httpProxyFor('server.test:8081', { HTTPS_PROXY: text }),
      (error: Error) =>
        error.message.startsWith('HTTPS_PROXY ') && !error.message.includes('secret'),
    );
  });
}
