import assert from 'node:assert/strict';
import { test } from 'node:test';
import { methodMetricKey, snakeCase } from './metric-key.ts';

/** `reference/server.md` §12 and `agent.md` §7. */
for (const [name, expected] of [
  ['AttestAgent', 'attest_agent'],
  ['BatchNewX509SVID', 'batch_new_x509svid'],
  ['MintJWTSVID', 'mint_jwtsvid'],
  ['NewDownstreamX509CA', 'new_downstream_x509ca'],
  ['PublishJWTAuthority', 'publish_jwt_authority'],
  ['GetX509AuthorityState', 'get_x509_authority_state'],
  ['FetchX509Bundles', 'fetch_x509_bundles'],
  ['SVID', 'svid'],
  ['v1', 'v1'],
  ['a-b', 'a_b'],
  ['A_B', 'a_b'],
  ['Aa_Bb', 'aa_bb'],
  ['', ''],
] as const) {
  test(`${name} is ${expected} in metrics`, () => {
    assert.equal(snakeCase(name), expected);
  });
}

test('a key is the parts of the service and the method', () => {
  assert.deepEqual(
    methodMetricKey('/spire.api.server.entry.v1.Entry/SyncAuthorizedEntries', (service) =>
      service.replace('spire.api.server.', ''),
    ),
    ['entry', 'v1', 'entry', 'sync_authorized_entries'],
  );
  assert.deepEqual(methodMetricKey('/A/B'), ['a', 'b']);
});
