import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAgent } from '../../../test/kit/api-call.ts';
import type { Certificate } from '../../crypto/x509/certificate.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TcpPeer } from '../endpoints/peer.ts';
import { authorizationFields, type Caller, identify, identityFields } from './caller.ts';

const id = SpiffeId.parse('spiffe://example.org/web');
const leafNaming = (...uris: string[]) =>
  ({ serialNumber: 7n, notAfter: 2_000_000_000, uris }) as unknown as Certificate;
const tcp = (fields: Partial<TcpPeer>): TcpPeer => ({
  kind: 'tcp',
  address: '192.0.2.1',
  port: 4711,
  chain: [],
  id: undefined,
  ...fields,
});

test('a process of this machine is local', () => {
  const identity = identify({ kind: 'local', pid: 1, uid: 2, gid: 3 });
  assert.equal(identity.kind, 'local');
  assert.deepEqual(identityFields(identity), {});
});

test('who shows no certificate is anonymous', () => {
  const identity = identify(tcp({}));
  assert.equal(identity.kind, 'anonymous');
  assert.deepEqual(identityFields(identity), { caller_addr: '192.0.2.1:4711' });
});

test('who shows an SVID is called by its ID', () => {
  const identity = identify(tcp({ chain: [leafNaming(id.toString())], id }));
  assert.equal(identity.kind, 'svid');
  assert.deepEqual(identityFields(identity), {
    caller_addr: '192.0.2.1:4711',
    caller_id: 'spiffe://example.org/web',
  });
});

test('the ID is read from the certificate where the listener did not', () => {
  const identity = identify(tcp({ chain: [leafNaming(id.toString())] }));
  assert.ok(identity.kind === 'svid' && identity.id.equals(id));
});

test('an IPv6 address stands in brackets', () => {
  assert.deepEqual(identityFields(identify(tcp({ address: '2001:db8::1' }))), {
    caller_addr: '[2001:db8::1]:4711',
  });
});

const refusals: [why: string, uris: string[], message: string][] = [
  ['without a URI SAN', [], 'client certificate has no URI SAN'],
  [
    'with two URI SANs',
    ['spiffe://a/b', 'spiffe://a/c'],
    'client certificate has more than one URI SAN',
  ],
  [
    'with a URI SAN that is no SPIFFE ID',
    ['https://example.org'],
    'client certificate has a malformed URI SAN: scheme is missing or invalid',
  ],
];
for (const [why, uris, message] of refusals) {
  test(`refuses a client certificate ${why}`, () => {
    assert.throws(() => identify(tcp({ chain: [leafNaming(...uris)] })), {
      kind: 'unauthenticated',
      message,
    });
  });
}

const callers: [caller: Caller, as: string, via: string][] = [
  [{ kind: 'nobody' }, 'nobody', ''],
  [{ kind: 'local' }, 'local', 'transport'],
  [{ kind: 'admin', id, via: 'config' }, 'admin', 'config'],
  [{ kind: 'admin', id, via: 'entries' }, 'admin', 'entries'],
  [{ kind: 'downstream', id, entries: [] }, 'downstream', 'entries'],
  [{ kind: 'agent', id, agent: plainAgent }, 'agent', 'datastore'],
];
for (const [caller, as, via] of callers) {
  test(`logs authorisation as ${as} via ${via || 'nothing'}`, () => {
    assert.deepEqual(authorizationFields(caller), { authorized_as: as, authorized_via: via });
  });
}
