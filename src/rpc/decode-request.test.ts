import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { StructSchema, ValueSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { GetBundleRequestSchema } from '../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { BatchCreateEntryRequestSchema } from '../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { decodeRequest } from './decode-request.ts';

const repeated = (bytes: readonly number[], count: number): Uint8Array =>
  Buffer.alloc(bytes.length * count, Uint8Array.from(bytes));

/** Entries as operators have them, but with the shortest of names. */
const entries = (count: number, length: number) =>
  create(BatchCreateEntryRequestSchema, {
    entries: Array.from({ length: count }, (_, index) => ({
      spiffeId: { trustDomain: 'example.org', path: `/${'w'.repeat(length)}${index}` },
      parentId: { trustDomain: 'example.org', path: '/n' },
      selectors: [
        { type: 'unix', value: 'uid:0' },
        { type: 'unix', value: 'gid:0' },
      ],
      x509SvidTtl: 60,
      admin: true,
      dnsNames: ['a'],
    })),
  });

test('large requests of real things are read', () => {
  for (const [count, length] of [
    [40_000, 1],
    [2_000, 1000],
  ] as const) {
    const bytes = toBinary(BatchCreateEntryRequestSchema, entries(count, length));
    assert.ok(bytes.length > 2_000_000);
    const read = decodeRequest(BatchCreateEntryRequestSchema, bytes);
    assert.deepEqual(toBinary(BatchCreateEntryRequestSchema, read), bytes);
  }
});

test('members that the schema does not know are passed over', () => {
  const one = new BinaryWriter().tag(900, WireType.LengthDelimited).string('x').finish();
  for (const bytes of [one, repeated([0x78, 0], 500_000)]) {
    assert.equal(decodeRequest(GetBundleRequestSchema, bytes).$unknown, undefined);
  }
});

const bombs: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ['empty entries', repeated([0x0a, 0], 500_000)],
  ['entries of one empty message', repeated([0x0a, 2, 0x12, 0], 300_000)],
  ['entries of one number', repeated([0x0a, 2, 0x30, 1], 300_000)],
  ['one entry of empty selectors', wrapped(repeated([0x22, 0], 500_000))],
];
/** The field `entries` with that content. */
function wrapped(content: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(content).finish();
}
for (const [what, bytes] of bombs) {
  test(`a request of nothing but ${what} is refused before it is made`, () => {
    assert.throws(() => decodeRequest(BatchCreateEntryRequestSchema, bytes), {
      kind: 'exhausted',
      message: 'the request has too many parts for its size',
    });
  });
}

test('a map of nothing is refused as well', () => {
  const members = repeated([0x0a, 4, 0x0a, 0, 0x12, 0], 300_000);
  assert.throws(() => decodeRequest(StructSchema, members), { kind: 'exhausted' });
});

test('what is nested without end is refused', () => {
  let nested = toBinary(
    ValueSchema,
    create(ValueSchema, { kind: { case: 'boolValue', value: true } }),
  );
  for (let depth = 0; depth < 20_000; depth++) {
    nested = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(listOf(nested)).finish();
    if (nested.length > 20_000) break;
  }
  assert.throws(() => decodeRequest(ValueSchema, nested), { kind: 'internal' });
  function listOf(value: Uint8Array): Uint8Array {
    return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(value).finish();
  }
});

test('what is malformed is told as grpc-go does', () => {
  for (const bytes of [
    Uint8Array.of(0x0a),
    Uint8Array.of(0x0a, 5, 1),
    Uint8Array.of(7),
    Uint8Array.of(0x0b),
  ]) {
    assert.throws(() => decodeRequest(StructSchema, bytes), {
      kind: 'internal',
      message: /^grpc: error unmarshalling request: ./,
    });
  }
});

test('no bytes do anything but be read or be refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(300), (bytes, times) => {
      const long = Buffer.concat(Array.from({ length: times }, () => bytes));
      try {
        decodeRequest(BatchCreateEntryRequestSchema, long);
      } catch (error) {
        assert.ok(['internal', 'exhausted'].includes((error as { kind: string }).kind));
      }
    }),
  );
});
