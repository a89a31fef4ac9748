import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { bootstrapAdvice } from './bootstrap-advice.ts';

const settings = {
  trustDomain: { name: 'mine.test' },
  bundleSource: { kind: 'path', path: '/b.pem', format: 'pem' },
} as const;
const handshake = (reason: string) =>
  new Fault('unavailable', `connection error: desc = "transport: handshake failed: ${reason}"`);

const advised: readonly [reason: string, advice: RegExp][] = [
  [
    'x509svid: could not verify leaf certificate: x509: certificate signed by unknown authority',
    /^The bundle of trust_bundle_path has none of the server's authorities: .*"spire-server bundle show"/,
  ],
  [
    'x509svid: could not get X509 bundle: x509bundle: no X.509 bundle found for trust domain: "other.test"',
    /^The server at server_address is of trust domain "other\.test", and this agent's trust_domain is "mine\.test"$/,
  ],
];
for (const [reason, advice] of advised) {
  test(`says what to do about ${reason}`, () => {
    assert.match(bootstrapAdvice(handshake(reason), settings) ?? '', advice);
  });
}

test('names the source that is configured', () => {
  const url = { kind: 'url', url: 'https://x', format: 'pem', unixSocket: undefined } as const;
  const failure = handshake('x509: certificate signed by unknown authority');
  assert.match(
    bootstrapAdvice(failure, { ...settings, bundleSource: url }) ?? '',
    / trust_bundle_url /,
  );
});

for (const reason of ['connection refused', 'agent is banned', '']) {
  test(`has nothing to say about ${JSON.stringify(reason)}`, () => {
    assert.equal(bootstrapAdvice(new Fault('unavailable', reason), settings), undefined);
  });
}
