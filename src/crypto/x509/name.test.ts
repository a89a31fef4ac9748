import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { characterString, integer, oid, sequence, setOf } from '../der/writer.ts';
import {
  type NameAttribute,
  nameDer,
  nameFromFields,
  nameText,
  readName,
  readNameFields,
} from './name.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const ofString = (tag: number, content: string): Uint8Array =>
  sequence(
    setOf([
      sequence(
        oid('2.5.4.3'),
        Uint8Array.of(tag, content.length / 2, ...Buffer.from(content, 'hex')),
      ),
    ]),
  );

test('a name is one RDN an attribute, in the order given', () => {
  assert.equal(
    hex(
      nameDer([
        ['C', 'US'],
        ['O', 'SPIRE'],
      ]),
    ),
    '301d310b3009060355040613025553310e300c060355040a13055350495245',
  );
  assert.equal(hex(nameDer([])), '3000');
});

test('values of one attribute share an RDN, sorted as DER sorts sets', () => {
  assert.equal(
    hex(nameDer([['OU', 'b', 'a']])),
    '301631143008060355040b1301613008060355040b130162',
  );
});

test('fields are written in the order of Go, extra attributes last', () => {
  const der = nameFromFields(
    { SERIALNUMBER: ['1'], CN: ['n'], O: ['o'], C: ['US'], OU: [], STREET: ['s'] },
    [['2.5.4.45', 'ff']],
  );
  assert.equal(nameText(der), 'SERIALNUMBER=1,CN=n,STREET=s,O=o,C=US,2.5.4.45=#13026666');
  assert.deepEqual(
    readName(der).map(([attribute]) => attribute?.oid),
    ['2.5.4.6', '2.5.4.10', '2.5.4.9', '2.5.4.3', '2.5.4.5', '2.5.4.45'],
  );
});

for (const [value, tag] of [
  ['web.golden.test', 0x13],
  ["A-Z a-z 0-9 '()+,-./:=?", 0x13],
  ['', 0x13],
  ['*.golden.test', 0x0c],
  ['AT&T', 0x0c],
  ['a@b', 0x0c],
  ['a_b', 0x0c],
  ['Zürich', 0x0c],
] as const) {
  test(`"${value}" is written with tag ${tag}`, () => {
    const [[attribute] = []] = readName(nameDer([['CN', value]]));
    assert.equal(attribute?.der[0], tag);
    assert.equal(attribute?.value, value);
  });
}

test('names read as they were written', () => {
  const attribute = fc.constantFrom('C', 'O', 'OU', 'CN', 'SERIALNUMBER', '1.2.3.4');
  const value = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(fc.array(fc.tuple(attribute, value), { maxLength: 10 }), (attributes) => {
      const rdns = readName(nameDer(attributes));
      assert.deepEqual(
        rdns.map(([one]) => one?.value),
        attributes.map(([, text]) => text),
      );
    }),
  );
});

for (const [attributes, text] of [
  [[], ''],
  [
    [
      ['C', 'US'],
      ['O', 'SPIRE'],
      ['CN', 'web'],
    ],
    'CN=web,O=SPIRE,C=US',
  ],
  [
    [
      ['CN', 'web'],
      ['O', 'a'],
      ['C', 'US'],
      ['O', 'b'],
    ],
    'CN=web,O=a+O=b,C=US',
  ],
  [
    [
      ['CN', 'first'],
      ['CN', 'last'],
    ],
    'CN=last',
  ],
  [[['O', 'a,b+c"d\\e<f>g;h']], 'O=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h'],
  [[['O', ' a b ']], 'O=\\ a b\\ '],
  [[['O', '#a#']], 'O=\\#a#'],
  [[['O', ' ']], 'O=\\ '],
  [[['CN', '']], ''],
  [
    [
      ['1.2.3', 'x'],
      ['O', 'y'],
    ],
    'O=y,1.2.3=#130178',
  ],
  [
    [
      ['L', 'l'],
      ['ST', 's'],
      ['STREET', 'r'],
      ['POSTALCODE', 'p'],
    ],
    'POSTALCODE=p,STREET=r,ST=s,L=l',
  ],
] as [NameAttribute[], string][]) {
  test(`Go prints the name "${text}"`, () => {
    assert.equal(nameText(nameDer(attributes)), text);
  });
}

test('values that are no strings are kept and printed as DER', () => {
  const der = sequence(setOf([sequence(oid('1.2.3'), integer(5))]));
  assert.deepEqual(readName(der), [[{ oid: '1.2.3', value: undefined, der: integer(5) }]]);
  assert.equal(nameText(der), '1.2.3=#020105');
  assert.deepEqual(readNameFields(der), {});
});

for (const [type, tag, content, text] of [
  ['UTF8String', 0x0c, 'c3bc', 'ü'],
  ['IA5String', 0x16, '61407e', 'a@~'],
  ['T61String', 0x14, '61fc', 'aü'],
  ['BMPString', 0x1e, '006120ac', 'a€'],
  ['NumericString', 0x12, '3120', '1 '],
  ['PrintableString with what Go lets pass', 0x13, '2a26', '*&'],
] as const) {
  test(`a ${type} is read`, () => {
    assert.deepEqual(readNameFields(ofString(tag, content)), { CN: [text] });
  });
}

for (const [why, der, text] of [
  ['an empty RDN', sequence(setOf([])), 'x509: invalid RDNSequence: empty RDN'],
  ['half of an attribute', sequence(setOf([sequence(oid('2.5.4.3'))])), /sequence truncated/],
  [
    'more than an attribute',
    sequence(setOf([sequence(oid('2.5.4.3'), integer(1), integer(1))])),
    /trailing data/,
  ],
  [
    'an attribute without its set',
    sequence(sequence(oid('2.5.4.3'), integer(1))),
    /tags don't match/,
  ],
  ['what follows it', Uint8Array.of(0x30, 0, 0), /trailing data/],
  ['broken UTF-8', ofString(0x0c, 'c328'), 'x509: invalid UTF8String'],
  ['a surrogate in UTF-8', ofString(0x0c, 'eda080'), 'x509: invalid UTF8String'],
  [
    'a PrintableString with other characters',
    ofString(0x13, '40'),
    'x509: invalid PrintableString',
  ],
  ['an IA5String with a byte above 127', ofString(0x16, '80'), 'x509: invalid IA5String'],
  ['a NumericString of letters', ofString(0x12, '61'), 'x509: invalid NumericString'],
  ['half a BMPString character', ofString(0x1e, '006100'), 'x509: invalid BMPString'],
  ['half a surrogate pair', ofString(0x1e, 'd800'), 'x509: invalid BMPString'],
] as const) {
  test(`refuses a name with ${why}`, () => {
    assert.throws(() => readName(der), { kind: 'invalid', message: text });
  });
}

test('no name is written with an attribute that has no OID', () => {
  assert.throws(() => nameDer([['XX', 'x']]), { kind: 'invalid' });
});

test('a string of any type is read as it was written', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const der = sequence(setOf([sequence(oid('2.5.4.3'), characterString(0x0c, text))]));
      assert.deepEqual(readNameFields(der), { CN: [text] });
    }),
  );
});
