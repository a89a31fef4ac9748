import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from './proxy-header.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n');

/** A header of version 2. */
const binary = (command: number, transport: number, content: Uint8Array, length?: number) => {
  const head = Buffer.from([command, transport, 0, 0]);
  head.writeUInt16BE(length ?? content.length, 2);
  return Buffer.concat([SIGNATURE, head, content]);
};
const V4 = Buffer.from([192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 0x1f, 0x91]);
const v6 = (start: number[]) =>
  Buffer.from([...start, ...Array(32 - start.length).fill(0), 1, 2, 3, 4]);

const accepted: readonly [what: string, header: Uint8Array | string, source: string | undefined][] =
  [
    ['TCP4', 'PROXY TCP4 192.0.2.1 198.51.100.1 4711 8081\r\n', '192.0.2.1 4711'],
    ['TCP6', 'PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n', '2001:db8::1 65535'],
    ['an address in another spelling', 'PROXY TCP6 2001:DB8:0:0::1 ::2 1 2\r\n', '2001:db8::1 1'],
    ['IPv4 as IPv6', 'PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n', '192.0.2.1 1'],
    ['IPv4 as IPv6 in digits', 'PROXY TCP6 ::ffff:c000:201 ::2 1 2\r\n', '192.0.2.1 1'],
    ['UNKNOWN', 'PROXY UNKNOWN\r\n', undefined],
    ['UNKNOWN with what is to be ignored', 'PROXY UNKNOWN ffff::1 what ever\r\n', undefined],
    ['version 2 of IPv4', binary(0x21, 0x11, V4), '192.0.2.1 4711'],
    ['version 2 of IPv6', binary(0x21, 0x21, v6([0x20, 1, 0xd, 0xb8])), '2001:db8:: 258'],
    [
      'version 2 with additions',
      binary(0x21, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 2, 7, 7])])),
      '192.0.2.1 4711',
    ],
    ['LOCAL', binary(0x20, 0, new Uint8Array()), undefined],
    ['LOCAL with what is to be ignored', binary(0x20, 0x11, V4), undefined],
  ];

describe('takes', () => {
  for (const [what, header, source] of accepted) {
    test(what, () => {
      const bytes = Buffer.from(header as string);
      const read = readProxyHeader(Buffer.concat([bytes, Buffer.from('hello')]));
      assert.ok(typeof read === 'object');
      assert.equal(read.length, bytes.length);
      assert.equal(read.source && `${read.source.address} ${read.source.port}`, source);
    });

    test(`waits for the rest of ${what}`, () => {
      const bytes = Buffer.from(header as string);
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(readProxyHeader(bytes.subarray(0, length)), 'incomplete');
      }
    });
  }
});

const refused: readonly [why: string, header: Uint8Array | string][] = [
  ['an address with too large a part', 'PROXY TCP4 1.2.3.400 5.6.7.8 1 2\r\n'],
  ['an address with a zero before it', 'PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n'],
  ['a host name', 'PROXY TCP4 localhost 5.6.7.8 1 2\r\n'],
  ['a wrong destination', 'PROXY TCP4 1.2.3.4 5.6.7 1 2\r\n'],
  ['IPv6 under TCP4', 'PROXY TCP4 ::1 ::2 1 2\r\n'],
  ['IPv4 under TCP6', 'PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n'],
  ['another family', 'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['a family in small letters', 'PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['a name that every object has', 'PROXY constructor 1.2.3.4 5.6.7.8 1 2\r\n'],
  ['no family', 'PROXY \r\n'],
  ['too few fields', 'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n'],
  ['too many fields', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n'],
  ['two blanks', 'PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n'],
  ['a port that is too large', 'PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n'],
  ['a port with a zero before it', 'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n'],
  ['a port with a sign', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n'],
  ['a port in another base', 'PROXY TCP4 1.2.3.4 5.6.7.8 0x1 2\r\n'],
  ['a line that ends with a line feed only', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nhello\r\n'],
  ['a line that does not end', `PROXY UNKNOWN ${'x'.repeat(200)}`],
  ['a line that ends too late', `PROXY UNKNOWN ${'x'.repeat(100)}\r\n`],
  ['version 1 in binary', binary(0x11, 0x11, V4)],
  ['version 3', binary(0x31, 0x11, V4)],
  ['an unknown command', binary(0x22, 0x11, V4)],
  ['no family in binary', binary(0x21, 0, new Uint8Array())],
  ['UDP', binary(0x21, 0x12, V4)],
  ['a Unix socket', binary(0x21, 0x31, Buffer.alloc(216))],
  ['addresses that are cut off', binary(0x21, 0x11, V4, 11)],
  ['IPv6 addresses that are cut off', binary(0x21, 0x21, V4)],
  ['more than anybody sends', binary(0x21, 0x11, V4, MAX_PROXY_HEADER_BYTES)],
];

describe('refuses', () => {
  for (const [why, header] of refused) {
    test(why, () => {
      assert.throws(() => readProxyHeader(Buffer.from(header as string)), {
        kind: 'invalid',
        message: /^PROXY protocol header: /,
      });
    });
  }
});

const none: readonly [what: string, bytes: Uint8Array | string][] = [
  ['TLS', Buffer.from([0x16, 3, 1])],
  ['words that begin alike', 'PROXIES'],
  ['a signature that is off by one', Buffer.from('\r\n\r\n\0\r\nQUIT\r')],
];
for (const [what, bytes] of none) {
  test(`${what}: no header`, () => {
    assert.equal(readProxyHeader(Buffer.from(bytes as string)), undefined);
  });
}

test('whatever comes is a header, none, incomplete or refused, and never longer than what is kept', () => {
  const tail = fc.uint8Array({ maxLength: 300 });
  const start = fc.constantFrom(
    Buffer.from('PROXY '),
    Buffer.from('PROXY TCP4 1.2.3.4 '),
    Buffer.from('PROXY TCP6 ::1 ::2 1 '),
    SIGNATURE,
    Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11])]),
    Buffer.alloc(0),
  );
  fc.assert(
    fc.property(start, tail, (head, rest) => {
      const bytes = Buffer.concat([head, rest]);
      let read: ReturnType<typeof readProxyHeader>;
      try {
        read = readProxyHeader(bytes);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
        return;
      }
      if (typeof read !== 'object') return;
      assert.ok(read.length <= bytes.length);
      if (read.source === undefined) return;
      assert.ok(read.source.port >= 0 && read.source.port <= 0xffff);
      // The header alone says the same.
      assert.deepEqual(readProxyHeader(bytes.subarray(0, read.length)), read);
    }),
    { numRuns: 2000 },
  );
});

test('no more than the bound is ever waited for', () => {
  const unfinished = [
    Buffer.from(`PROXY UNKNOWN ${'x'.repeat(90)}`),
    binary(0x21, 0x11, Buffer.alloc(3000), MAX_PROXY_HEADER_BYTES - 16),
  ];
  for (const bytes of unfinished) assert.equal(readProxyHeader(bytes), 'incomplete');
  const filled = unfinished.map((bytes) =>
    Buffer.concat([bytes, Buffer.alloc(MAX_PROXY_HEADER_BYTES - bytes.length)]),
  );
  assert.throws(() => readProxyHeader(filled[0] ?? Buffer.alloc(0)), { kind: 'invalid' });
  assert.equal(typeof readProxyHeader(filled[1] ?? Buffer.alloc(0)), 'object');
});
