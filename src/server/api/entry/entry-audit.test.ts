import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { EntryMaskSchema, EntrySchema } from '../../../wire/gen/spire/api/types/entry_pb.ts';
import { entryAuditFields } from './entry-audit.ts';

const entry = create(EntrySchema, {
  id: 'web',
  spiffeId: { trustDomain: 'example.org', path: '/web' },
  parentId: { trustDomain: 'example.org', path: '/spire/agent/a' },
  selectors: [
    { type: 'unix', value: 'uid:1' },
    { type: 'unix', value: 'gid:2' },
  ],
  x509SvidTtl: 60,
  federatesWith: ['b.test', 'c.test'],
  dnsNames: ['a.test', 'b.test'],
  hint: 'internal',
});

test('all fields of a request', () => {
  assert.deepEqual(entryAuditFields(entry), {
    entry_id: 'web',
    spiffe_id: 'spiffe://example.org/web',
    parent_id: 'spiffe://example.org/spire/agent/a',
    selectors: 'unix:uid:1,unix:gid:2',
    x509_svid_ttl: 60,
    jwt_svid_ttl: 0,
    federates_with: 'b.test,c.test',
    admin: false,
    downstream: false,
    expires_at: 0n,
    dns_name: 'a.test,b.test',
    revision_number: 0n,
    store_svid: false,
    hint: 'internal',
    created_at: 0n,
  });
});

test('of an update only those of the mask', () => {
  const mask = create(EntryMaskSchema, { hint: true, x509SvidTtl: true });
  assert.deepEqual(entryAuditFields(entry, mask), {
    entry_id: 'web',
    x509_svid_ttl: 60,
    hint: 'internal',
  });
});

test('neither empty lists, nor malformed or missing IDs', () => {
  const fields = entryAuditFields(create(EntrySchema, { spiffeId: { trustDomain: 'NO' } }));
  for (const absent of [
    'entry_id',
    'spiffe_id',
    'parent_id',
    'selectors',
    'federates_with',
    'dns_name',
  ]) {
    assert.ok(!(absent in fields), absent);
  }
});
