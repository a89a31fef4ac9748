import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { parseHcl } from '../../base/hcl/parse-hcl.ts';
import { Problems } from '../../base/problems.ts';
import { Settings } from '../../base/settings.ts';
import { KeyAudit } from '../../base/unknown-keys.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import { TrustDomain } from '../../spiffe/trust-domain.ts';
import { buildFederation, checkFederationBasics, readFederation } from './federation.ts';

/** What is made of a `federation` section, and what is said of it. */
function build(content: string) {
  const problems = new Problems('x.conf');
  const lines: LogLine[] = [];
  const settings = Settings.of(parseHcl(`federation {\n${content}\n}`), problems);
  const raw = readFederation(settings, new KeyAudit());
  if (raw !== undefined) checkFederationBasics(raw, problems);
  const config = buildFederation(raw, TrustDomain.parse('own.test'), problems, recordingLog(lines));
  return { config, problems: problems.all.map(({ text }) => text), lines };
}

const endpointOf = (content: string) => {
  const { config, problems } = build(`bundle_endpoint { ${content} }`);
  assert.deepEqual(problems, []);
  return config.bundleEndpoint;
};

test('an endpoint that says nothing listens everywhere and shows the server’s SVID', () => {
  assert.deepEqual(endpointOf(''), {
    address: undefined,
    port: 0,
    refreshHintSeconds: 300,
    identity: { kind: 'svid' },
  });
});

test('what an endpoint says counts', () => {
  const content =
    'address = "127.0.0.1" port = 8443 refresh_hint = "90500ms" profile "https_spiffe" {}';
  assert.deepEqual(endpointOf(content), {
    address: '127.0.0.1',
    port: 8443,
    refreshHintSeconds: 90.5,
    identity: { kind: 'svid' },
  });
  assert.equal(endpointOf('address = "example.org"')?.address, undefined);
  assert.equal(endpointOf('address = "::1"')?.address, '::1');
});

const files = (interval: string) =>
  `profile "https_web" { serving_cert_file { cert_file_path = "c" key_file_path = "k" file_sync_interval = "${interval}" } }`;
const acme = {
  kind: 'acme',
  directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
  domainName: 'a.test',
  email: '',
  tosAccepted: false,
};
const identities: readonly (readonly [string, object])[] = [
  ['profile "https_spiffe" {}', { kind: 'svid' }],
  [
    files('30s'),
    { kind: 'certificate-files', certFilePath: 'c', keyFilePath: 'k', syncIntervalSeconds: 30 },
  ],
  [
    files('0s'),
    { kind: 'certificate-files', certFilePath: 'c', keyFilePath: 'k', syncIntervalSeconds: 3600 },
  ],
  ['profile "https_web" { acme { domain_name = "a.test" } }', acme],
  [
    'profile "https_web" { acme { domain_name = "a.test" directory_url = "https://x/d" email = "m" tos_accepted = true } }',
    { ...acme, directoryUrl: 'https://x/d', email: 'm', tosAccepted: true },
  ],
  ['acme { domain_name = "a.test" email = "m" }', { ...acme, email: 'm' }],
];
for (const [content, identity] of identities) {
  test(`who an endpoint is: ${content}`, () => {
    assert.deepEqual(endpointOf(content)?.identity, identity);
  });
}

test('a relationship is read with its profile', () => {
  const { config, problems } = build(`
    federates_with "b.test" {
      bundle_endpoint_url = "https://b.test/bundle"
      bundle_endpoint_profile "https_spiffe" { endpoint_spiffe_id = "spiffe://b.test/spire/server" }
    }
    federates_with "spiffe://c.test" {
      bundle_endpoint_url = "HTTPS://c.test:8443"
      bundle_endpoint_profile "https_web" {}
    }`);
  assert.deepEqual(problems, []);
  assert.deepEqual(config.federatesWith, [
    {
      trustDomain: TrustDomain.parse('b.test'),
      bundleEndpointUrl: 'https://b.test/bundle',
      bundleEndpointProfile: {
        kind: 'https_spiffe',
        endpointSpiffeId: SpiffeId.parse('spiffe://b.test/spire/server'),
      },
    },
    {
      trustDomain: TrustDomain.parse('c.test'),
      bundleEndpointUrl: 'HTTPS://c.test:8443',
      bundleEndpointProfile: { kind: 'https_web' },
    },
  ]);
});

const refusals: readonly (readonly [string, string])[] = [
  [
    'bundle_endpoint { profile "https_web" { acme {} } }',
    'federation.bundle_endpoint: acme domain_name must be configured',
  ],
  [
    'bundle_endpoint { profile "https_web" { acme { domain_name = "localhost" } } }',
    'federation.bundle_endpoint: acme domain_name must be a full domain name in lower case, not "localhost"',
  ],
  [
    'bundle_endpoint { acme { domain_name = "../../a.test" email = "m" } }',
    'federation.bundle_endpoint: acme domain_name must be a full domain name in lower case, not "../../a.test"',
  ],
  [
    'bundle_endpoint { profile "https_web" { acme { domain_name = "*.a.test" } } }',
    'federation.bundle_endpoint: acme domain_name must be a full domain name in lower case, not "*.a.test"',
  ],
  [
    'bundle_endpoint { profile "https_web" { acme { domain_name = "a.test" directory_url = "http://ca" } } }',
    'federation.bundle_endpoint: acme directory_url must be an https URL, not "http://ca"',
  ],
  [
    'federates_with "b" { bundle_endpoint_url = "https://me:secret@b/" bundle_endpoint_profile "https_web" {} }',
    'federation.federates_with["b"].bundle_endpoint_url must not contain user info',
  ],
  [
    'federates_with "own.test" { bundle_endpoint_url = "https://b/" bundle_endpoint_profile "https_web" {} }',
    'federation configuration for trust domain "own.test": a server does not federate with its own trust domain',
  ],
  [
    'federates_with "b" { bundle_endpoint_url = "https://b/" bundle_endpoint_profile = 5 }',
    'error parsing federation relationship for trust domain "b": malformed configuration',
  ],
  [
    'bundle_endpoint { refresh_hint = "soon" }',
    'could not parse refresh_hint "soon": time: invalid duration "soon"',
  ],
];
for (const [content, problem] of refusals) {
  test(`refuses: ${problem}`, () => {
    assert.deepEqual(build(content).problems, [problem]);
  });
}

test('a hint that is very long or very short is told', () => {
  const told = (hint: string) =>
    build(`bundle_endpoint { refresh_hint = "${hint}" profile "https_spiffe" {} }`).lines.map(
      ({ message }) => message,
    );
  assert.deepEqual(told('24h'), ['Bundle endpoint refresh hint is a day or more']);
  assert.deepEqual(told('59s'), ['Bundle endpoint refresh hint is less than a minute']);
  assert.deepEqual(told('1m'), []);
});
