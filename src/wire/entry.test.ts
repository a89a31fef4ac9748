import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { Entry } from '../spiffe/entry.ts';
import { SpiffeId } from '../spiffe/spiffe-id.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import {
  encodeEntries,
  encodeEntry,
  entryFieldsFromMask,
  entryFromProto,
  entryToProto,
} from './entry.ts';
import { GetAuthorizedEntriesResponseSchema } from './gen/spire/api/server/entry/v1/entry_pb.ts';
import { EntryMaskSchema, EntrySchema } from './gen/spire/api/types/entry_pb.ts';

const td = TrustDomain.parse('example.org');

const entry: Entry = {
  id: 'entry-1',
  spiffeId: SpiffeId.parse('spiffe://example.org/web'),
  parentId: SpiffeId.parse('spiffe://example.org/spire/agent/x509pop/a'),
  selectors: [{ type: 'unix', value: 'uid:1000' }],
  x509SvidTtlSeconds: 60,
  jwtSvidTtlSeconds: 30,
  federatesWith: [TrustDomain.parse('b.test')],
  admin: true,
  downstream: true,
  expiresAt: 1_900_000_000,
  dnsNames: ['web', 'www'],
  revisionNumber: 3,
  storeSvid: true,
  hint: 'internal',
  createdAt: 1_800_000_000,
  additionalAttributes: { disableX509SvidPrefetch: true, jwtSvidIncludeJti: true },
};

const proto = (changes: MessageInitShape<typeof EntrySchema> = {}) =>
  create(EntrySchema, Object.assign(entryToProto(entry), changes));
const mask = (...bits: string[]) =>
  create(EntryMaskSchema, Object.fromEntries(bits.map((bit) => [bit, true])));
const allBits = EntryMaskSchema.fields.map(({ localName }) => localName);

describe('an entry from the wire', () => {
  test('is what the caller may say of it', () => {
    const { revisionNumber: _revision, createdAt: _created, ...input } = entry;
    assert.deepEqual(entryFromProto(proto(), td), input);
  });

  test('has each federated trust domain once, whether by name or by ID', () => {
    const { federatesWith } = entryFromProto(
      proto({ federatesWith: ['b.test', 'spiffe://b.test/x', 'c.test'] }),
      td,
    );
    assert.deepEqual(
      federatesWith.map(({ name }) => name),
      ['b.test', 'c.test'],
    );
  });

  test('takes an ID whose trust domain is written as an ID', () => {
    const { spiffeId } = entryFromProto(
      proto({ spiffeId: { trustDomain: 'spiffe://example.org/ignored', path: '/web' } }),
      td,
    );
    assert.equal(spiffeId.toString(), 'spiffe://example.org/web');
  });

  const id = (trustDomain: string, path: string) => ({ trustDomain, path });
  const refused: [bit: string, changes: MessageInitShape<typeof EntrySchema>, message: string][] = [
    ['parentId', { parentId: undefined }, 'invalid parent ID: request must specify SPIFFE ID'],
    [
      'parentId',
      { parentId: id('other.org', '/x') },
      'invalid parent ID: "spiffe://other.org/x" is not a member of trust domain "example.org"',
    ],
    [
      'parentId',
      { parentId: id('example.org', '') },
      'invalid parent ID: "spiffe://example.org" is not a member of trust domain "example.org"; path is empty',
    ],
    ['spiffeId', { spiffeId: undefined }, 'invalid spiffe ID: request must specify SPIFFE ID'],
    ['spiffeId', { spiffeId: id('', '/x') }, 'invalid spiffe ID: trust domain is missing'],
    [
      'spiffeId',
      { spiffeId: id('example.org', 'x') },
      'invalid spiffe ID: path must have a leading slash',
    ],
    [
      'spiffeId',
      { spiffeId: id('example.org', '/spire/x') },
      'invalid spiffe ID: "spiffe://example.org/spire/x" is not a workload in trust domain "example.org"; path is in the reserved namespace',
    ],
    ['dnsNames', { dnsNames: ['ok', '*'] }, 'invalid DNS name: wildcard must be first label'],
    [
      'federatesWith',
      { federatesWith: [''] },
      'invalid federated trust domain: trust domain is missing',
    ],
    ['selectors', { selectors: [] }, 'selector list is empty'],
    ['selectors', { selectors: [{ type: '', value: 'x' }] }, 'missing selector type'],
    ['selectors', { selectors: [{ type: 'a:b', value: 'x' }] }, "selector type contains ':'"],
    ['selectors', { selectors: [{ type: 'a', value: '' }] }, 'missing selector value'],
    ['hint', { hint: 'ä'.repeat(513) }, 'hint is too long, max length is 1024 characters'],
    ['expiresAt', { expiresAt: 2n ** 62n }, 'expires_at is out of range: 4611686018427387904'],
  ];
  for (const [bit, changes, message] of refused) {
    test(`refuses ${bit}: ${message}`, () => {
      assert.throws(() => entryFromProto(proto(changes), td), { kind: 'invalid', message });
      assert.throws(() => entryFromProto(proto(changes), td, mask(bit)), { message });
    });

    test(`does not look at ${bit} outside the mask: ${message}`, () => {
      entryFromProto(proto(changes), td, mask(...allBits.filter((other) => other !== bit)));
    });
  }

  test('is checked in the order of the reference', () => {
    const bits = ['parentId', 'spiffeId', 'dnsNames', 'federatesWith', 'selectors', 'hint'];
    const wrong = new Map(refused.map(([bit, changes]) => [bit, changes]));
    for (const [index, bit] of bits.entries()) {
      const changes = Object.assign({}, ...bits.slice(index).map((later) => wrong.get(later)));
      const [, , message] = refused.findLast(([of]) => of === bit) ?? [];
      assert.throws(() => entryFromProto(proto(changes), td), { message });
    }
  });

  test('takes a hint of 1024 bytes, and negative lifetimes, which the datastore judges', () => {
    const input = entryFromProto(proto({ hint: 'h'.repeat(1024), x509SvidTtl: -1 }), td);
    assert.equal(input.x509SvidTtlSeconds, -1);
  });

  test('must be there', () => {
    assert.throws(() => entryFromProto(undefined, td), {
      kind: 'invalid',
      message: 'missing entry',
    });
  });
});

describe('the fields that a mask lets an update replace', () => {
  test('are all without a mask', () => {
    assert.equal(entryFieldsFromMask(undefined).size, 13);
    assert.deepEqual(entryFieldsFromMask(mask(...allBits)), entryFieldsFromMask(undefined));
  });

  test('are those of its bits; revision and creation are no fields', () => {
    assert.deepEqual(
      entryFieldsFromMask(mask('x509SvidTtl', 'hint', 'revisionNumber', 'createdAt')),
      new Set(['x509SvidTtlSeconds', 'hint']),
    );
    assert.equal(entryFieldsFromMask(mask()).size, 0);
  });
});

describe('an entry for the wire', () => {
  const full = create(EntrySchema, entryToProto(entry));
  for (const bit of allBits) {
    test(`through a mask of ${bit} has its ID and that field`, () => {
      const masked = create(EntrySchema, entryToProto(entry, mask(bit)));
      const only = create(EntrySchema, { id: entry.id, [bit]: full[bit as keyof typeof full] });
      assert.deepEqual(masked, only);
    });
  }

  test('through an empty mask has its ID only', () => {
    assert.deepEqual(entryToProto(entry, mask()), { id: 'entry-1' });
  });

  test('has no attributes where none are on', () => {
    const additionalAttributes = { disableX509SvidPrefetch: false, jwtSvidIncludeJti: false };
    assert.equal(entryToProto({ ...entry, additionalAttributes }).additionalAttributes, undefined);
  });

  test('is encoded once for a mask, and again for another', () => {
    const bytes = encodeEntry(entry);
    assert.deepEqual(fromBinary(EntrySchema, bytes), full);
    assert.equal(encodeEntry(entry), bytes);
    const hint = encodeEntry(entry, mask('hint'));
    assert.deepEqual(
      fromBinary(EntrySchema, hint),
      create(EntrySchema, { id: 'entry-1', hint: 'internal' }),
    );
    assert.equal(encodeEntry(entry, mask('hint')), hint);
    assert.deepEqual(encodeEntry(entry), bytes);
  });

  test('joins others in a message as if that had been encoded at once', () => {
    const entries = Array.from({ length: 200 }, (_, index) => ({
      ...entry,
      id: `entry-${index}`,
      hint: 'h'.repeat(index),
    }));
    const message = create(GetAuthorizedEntriesResponseSchema, {
      entries: entries.map((one) => entryToProto(one)),
    });
    const atOnce = toBinary(GetAuthorizedEntriesResponseSchema, message);
    assert.equal(Buffer.compare(encodeEntries(1, entries), atOnce), 0);
    assert.equal(encodeEntries(1, []).length, 0);
  });
});
