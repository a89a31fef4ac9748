import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DerReader, MAX_DER_DEPTH, readWhole } from './reader.ts';
import {
  bitString,
  boolean,
  constructed,
  integer,
  namedBits,
  octetString,
  oid,
  sequence,
  setOf,
  time,
  unsignedInteger,
} from './writer.ts';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

type Read = (r: DerReader) => unknown;

const refusals: [why: string, hex: string, read: Read, text: string][] = [
  ['nothing at all', '', (r) => r.element(), 'asn1: syntax error: sequence truncated'],
  ['a tag alone', '30', (r) => r.element(), 'asn1: syntax error: truncated tag or length'],
  ['half a length', '3082', (r) => r.element(), 'asn1: syntax error: truncated tag or length'],
  ['half a value', '040301', (r) => r.element(), 'asn1: syntax error: data truncated'],
  [
    'a length beyond the parent',
    '300404030101',
    (r) => r.sequence((s) => s.element()),
    'asn1: syntax error: data truncated',
  ],
  [
    'a length byte beyond the parent',
    '3002048101',
    (r) => r.sequence((s) => s.element()),
    'asn1: syntax error: truncated tag or length',
  ],
  ['what follows the value', '050000', (r) => r.null(), 'asn1: syntax error: trailing data'],
  [
    'what follows inside a sequence',
    '300305000a',
    (r) => r.sequence((s) => s.null()),
    'asn1: syntax error: trailing data',
  ],
  [
    'the indefinite length of BER',
    '308005000000',
    (r) => r.element(),
    'asn1: syntax error: indefinite length found (not DER)',
  ],
  [
    'a long form below 128',
    '04810101',
    (r) => r.element(),
    'asn1: structure error: non-minimal length',
  ],
  [
    'a zero before the length',
    `04820080${'00'.repeat(128)}`,
    (r) => r.element(),
    'asn1: structure error: non-minimal length',
  ],
  [
    'a length of more than four bytes',
    '04850100000000',
    (r) => r.element(),
    'asn1: structure error: length too large',
  ],
  ['a length of 4 GiB', '0484ffffffff', (r) => r.element(), 'asn1: syntax error: data truncated'],
  [
    'a length of 127 bytes, reserved',
    'ff',
    (r) => r.element(),
    'asn1: structure error: high tag numbers are not used',
  ],
  [
    'a tag of more than one byte',
    '1f2001ff',
    (r) => r.element(),
    'asn1: structure error: high tag numbers are not used',
  ],
  [
    'another type',
    '0500',
    (r) => r.boolean(),
    "asn1: structure error: tags don't match (expected 0x01, got 0x05)",
  ],
  [
    'a primitive sequence',
    '1000',
    (r) => r.sequence(() => 0),
    "asn1: structure error: tags don't match (expected 0x30, got 0x10)",
  ],
  [
    'a constructed octet string of BER',
    '2403040101',
    (r) => r.octetString(),
    "asn1: structure error: tags don't match (expected 0x04, got 0x24)",
  ],
  ['a boolean of BER', '010101', (r) => r.boolean(), 'asn1: syntax error: invalid boolean'],
  ['an empty boolean', '0100', (r) => r.boolean(), 'asn1: syntax error: invalid boolean'],
  ['a long boolean', '0102ffff', (r) => r.boolean(), 'asn1: syntax error: invalid boolean'],
  ['a null with content', '050100', (r) => r.null(), 'asn1: syntax error: invalid null'],
  ['an empty integer', '0200', (r) => r.integer(), 'asn1: structure error: empty integer'],
  [
    'a positive integer with a needless zero',
    '0202007f',
    (r) => r.integer(),
    'asn1: structure error: integer not minimally-encoded',
  ],
  [
    'a negative integer with needless ones',
    '0202ff80',
    (r) => r.integer(),
    'asn1: structure error: integer not minimally-encoded',
  ],
  [
    'an integer of 2050 bytes',
    `02820802${'01'.repeat(2050)}`,
    (r) => r.integer(),
    'asn1: structure error: integer too large',
  ],
  [
    'a small integer that is negative',
    '0201ff',
    (r) => r.smallInteger(),
    'asn1: structure error: integer out of range',
  ],
  [
    'a small integer of 2³¹',
    '02050080000000',
    (r) => r.smallInteger(),
    'asn1: structure error: integer out of range',
  ],
  [
    'an empty OID',
    '0600',
    (r) => r.oid(),
    'asn1: syntax error: object identifier of a wrong length',
  ],
  [
    'an endless OID',
    `068181${'01'.repeat(129)}`,
    (r) => r.oid(),
    'asn1: syntax error: object identifier of a wrong length',
  ],
  [
    'an OID arc with a needless septet',
    '06032a8001',
    (r) => r.oid(),
    'asn1: syntax error: integer is not minimally encoded',
  ],
  [
    'an OID that ends within an arc',
    '06022a86',
    (r) => r.oid(),
    'asn1: syntax error: truncated base 128 integer',
  ],
  [
    'an OID arc of 2³¹',
    '06062a8880808000',
    (r) => r.oid(),
    'asn1: structure error: base 128 integer too large',
  ],
  ['an empty bit string', '0300', (r) => r.bits(), 'asn1: syntax error: zero length BIT STRING'],
  [
    'a bit string with 8 unused bits',
    '03020800',
    (r) => r.bits(),
    'asn1: syntax error: invalid padding bits in BIT STRING',
  ],
  [
    'unused bits of no byte',
    '030101',
    (r) => r.bits(),
    'asn1: syntax error: invalid padding bits in BIT STRING',
  ],
  [
    'unused bits that are not zero',
    '030201ff',
    (r) => r.bits(),
    'asn1: syntax error: invalid padding bits in BIT STRING',
  ],
  [
    'a bit string of broken bytes as a key',
    '030201fe',
    (r) => r.bitString(),
    'asn1: syntax error: invalid padding bits in BIT STRING',
  ],
];

for (const [why, hex, read, text] of refusals) {
  test(`the DER reader refuses ${why}`, () => {
    assert.throws(() => readWhole(bytes(hex), read), { kind: 'invalid', message: text });
  });
}

test('the DER reader descends to its limit and no further', () => {
  const nested = (depth: number): Uint8Array =>
    depth === 0 ? integer(1) : sequence(nested(depth - 1));
  const descend = (r: DerReader): number =>
    r.nextTag === 0x30 ? r.sequence(descend) + 1 : r.smallInteger() - 1;
  assert.equal(readWhole(nested(MAX_DER_DEPTH), descend), MAX_DER_DEPTH);
  assert.throws(() => readWhole(nested(MAX_DER_DEPTH + 1), descend), {
    kind: 'invalid',
    message: 'asn1: structure error: nested too deeply',
  });
});

test('optional fields are read when they are there', () => {
  const read = (r: DerReader) =>
    r.sequence((s) => [s.implicit(0)?.length, s.explicit(1, (e) => e.smallInteger()), s.boolean()]);
  assert.deepEqual(readWhole(bytes('300a80010ba10302010c0101ff'.replace('300a', '300b')), read), [
    1,
    12,
    true,
  ]);
  assert.deepEqual(readWhole(bytes('3003010100'), read), [undefined, undefined, false]);
});

test('views of a Buffer are plain byte arrays', () => {
  const view = readWhole(Buffer.from('04020102', 'hex'), (r) => r.octetString());
  assert.deepEqual(view, Uint8Array.of(1, 2));
});

test('integers read as they were written', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), (value) => {
      assert.equal(
        readWhole(integer(value), (r) => r.integer()),
        value,
      );
    }),
  );
});

for (const [value, hex] of [
  [0, '020100'],
  [127, '02017f'],
  [128, '02020080'],
  [255, '020200ff'],
  [256, '02020100'],
  [-1, '0201ff'],
  [-128, '020180'],
  [-129, '0202ff7f'],
  [0x7fffffff, '02047fffffff'],
] as const) {
  test(`INTEGER ${value} is ${hex}`, () => {
    assert.equal(Buffer.from(integer(value)).toString('hex'), hex);
    assert.equal(
      readWhole(integer(value), (r) => r.integer()),
      BigInt(value),
    );
  });
}

test('magnitudes become integers without their leading zeros', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (magnitude) => {
      const value = BigInt(`0x${Buffer.from(magnitude).toString('hex')}`);
      assert.equal(
        readWhole(unsignedInteger(magnitude), (r) => r.integer()),
        value,
      );
    }),
  );
});

test('object identifiers read as they were written', () => {
  const arc = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  const head = fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 39 })),
    fc.tuple(fc.constant(2), fc.integer({ min: 0, max: 2 ** 31 - 81 })),
  );
  fc.assert(
    fc.property(head, fc.array(arc, { maxLength: 12 }), (first, rest) => {
      const text = [...first, ...rest].join('.');
      assert.equal(
        readWhole(oid(text), (r) => r.oid()),
        text,
      );
    }),
  );
});

for (const text of ['', '1', '3.1', '1.40', '1.02', '1..2', '1.2.', '1.2.x', '2.99999999999']) {
  test(`no object identifier is written for "${text}"`, () => {
    assert.throws(() => oid(text), { kind: 'invalid' });
  });
}

test('strings of bits and bytes read as they were written', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (content) => {
      assert.deepEqual(
        readWhole(octetString(content), (r) => r.octetString()),
        content,
      );
      assert.deepEqual(
        readWhole(bitString(content), (r) => r.bitString()),
        content,
      );
    }),
  );
});

test('named bits are written without trailing zeros', () => {
  assert.equal(Buffer.from(namedBits([])).toString('hex'), '030100');
  assert.equal(Buffer.from(namedBits([0, 2, 4])).toString('hex'), '030203a8');
  assert.equal(Buffer.from(namedBits([5, 6])).toString('hex'), '03020106');
  assert.equal(Buffer.from(namedBits([8])).toString('hex'), '0303070080');
});

test('the members of a SET OF are sorted', () => {
  assert.equal(
    Buffer.from(setOf([integer(2), boolean(true), integer(1)])).toString('hex'),
    '31090101ff020101020102',
  );
});

for (const [length, header] of [
  [0x7f, '047f'],
  [0x80, '048180'],
  [0xff, '0481ff'],
  [0x100, '04820100'],
  [0xffff, '0482ffff'],
  [0x10000, '0483010000'],
] as const) {
  test(`a length of ${length} is written in the fewest bytes`, () => {
    const der = octetString(new Uint8Array(length));
    assert.equal(Buffer.from(der.subarray(0, header.length / 2)).toString('hex'), header);
    assert.equal(readWhole(der, (r) => r.octetString()).length, length);
  });
}

test('a value of 16 MiB is not written', () => {
  assert.throws(() => constructed(0x30, [new Uint8Array(0x100_0000)]), { kind: 'invalid' });
});

for (const [iso, hex] of [
  ['1950-01-01T00:00:00Z', '170d3530303130313030303030305a'],
  ['1970-01-01T00:00:00Z', '170d3730303130313030303030305a'],
  ['2049-12-31T23:59:59Z', '170d3439313233313233353935395a'],
  ['2050-01-01T00:00:00Z', '180f32303530303130313030303030305a'],
  ['1949-12-31T23:59:59Z', '180f31393439313233313233353935395a'],
  ['9999-12-31T23:59:59Z', '180f39393939313233313233353935395a'],
] as const) {
  test(`the time ${iso} is ${hex}`, () => {
    const unixSeconds = Date.parse(iso) / 1000;
    assert.equal(Buffer.from(time(unixSeconds)).toString('hex'), hex);
    assert.equal(
      readWhole(bytes(hex), (r) => r.time()),
      unixSeconds,
    );
  });
}

test('times read as they were written', () => {
  const [first, last] = ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'].map(Date.parse);
  const seconds = fc.integer({ min: (first ?? 0) / 1000, max: (last ?? 0) / 1000 });
  fc.assert(
    fc.property(seconds, (unixSeconds) => {
      assert.equal(
        readWhole(time(unixSeconds), (r) => r.time()),
        unixSeconds,
      );
    }),
  );
});

const timeOf = (tag: number, text: string): Uint8Array =>
  Uint8Array.of(tag, text.length, ...Buffer.from(text));

for (const [why, tag, text] of [
  ['without seconds', 0x17, '2601010000Z'],
  ['without a zone', 0x17, '260101000000'],
  ['with an offset', 0x17, '260101000000+0100'],
  ['of month 13', 0x17, '261301000000Z'],
  ['of month 0', 0x17, '260001000000Z'],
  ['of 30 February', 0x17, '260230000000Z'],
  ['of 29 February outside a leap year', 0x17, '260229000000Z'],
  ['at 24:00', 0x17, '260101240000Z'],
  ['with a leap second', 0x17, '260101235960Z'],
  ['with a sign', 0x17, '-60101000000Z'],
  ['with fractions', 0x18, '20260101000000.5Z'],
  ['in the form of the other type', 0x18, '260101000000Z'],
  ['that is empty', 0x18, ''],
] as const) {
  test(`the DER reader refuses a time ${why}`, () => {
    assert.throws(() => readWhole(timeOf(tag, text), (r) => r.time()), {
      kind: 'invalid',
      message: 'asn1: syntax error: malformed time',
    });
  });
}

for (const year of [-1, 10_000, Number.NaN]) {
  test(`no time is written for the year ${year}`, () => {
    assert.throws(() => time(Date.UTC(year) / 1000), { kind: 'invalid' });
  });
}
