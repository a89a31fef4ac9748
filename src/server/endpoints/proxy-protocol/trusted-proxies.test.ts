import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr, trustedProxies } from './trusted-proxies.ts';

const proxies = trustedProxies([
  '192.0.2.0/24',
  '10.1.2.3/8',
  '2001:db8::/32',
  '::ffff:198.51.100.0/120',
  '203.0.113.7/32',
]);

const rows: readonly [address: string, trusted: boolean][] = [
  ['192.0.2.0', true],
  ['192.0.2.255', true],
  ['192.0.3.0', false],
  ['192.0.1.255', false],
  ['10.255.0.1', true],
  ['11.0.0.0', false],
  ['198.51.100.9', true],
  ['198.51.101.9', false],
  ['203.0.113.7', true],
  ['203.0.113.8', false],
  ['2001:db8:ffff::1', true],
  ['2001:db9::1', false],
  ['::1', false],
  ['127.0.0.1', false],
];
for (const [address, trusted] of rows) {
  test(`${address} is ${trusted ? '' : 'not '}trusted`, () => {
    assert.equal(proxies.has(address), trusted);
  });
}

test('0.0.0.0/0 is all of IPv4, and nothing of IPv6', () => {
  const all = trustedProxies(['0.0.0.0/0']);
  assert.equal(all.has('255.255.255.255'), true);
  assert.equal(all.has('::1'), false);
});

for (const text of [
  '',
  '10.0.0.0',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/08',
  '10.0.0.0/8 ',
  '10.0.0/8',
  '::/129',
  'fe80::%eth0/64',
  'localhost/8',
  '/8',
]) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseCidr(text), {
      kind: 'invalid',
      message: `invalid CIDR address: ${text}`,
    });
  });
}
