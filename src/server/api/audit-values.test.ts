import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameDer } from '../../crypto/x509/name.ts';
import { commaList, logSubject, rfc3339, sha256Hex } from './audit-values.ts';

test('bytes are told apart by their SHA-256', () => {
  assert.equal(
    sha256Hex(Buffer.from('abc')),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

test('no bytes have no digest', () => {
  assert.equal(sha256Hex(new Uint8Array()), '');
});

test('times are written as Go does', () => {
  assert.equal(rfc3339(1_893_553_445), '2030-01-02T03:04:05Z');
});

test('lists are joined by commas', () => {
  assert.equal(commaList(['a', 'b']), 'a,b');
});

/** As SPIRE logs such a subject. */
test('a subject is a line in text, and its fields in JSON', () => {
  const subject = logSubject(
    nameDer([
      ['C', 'US'],
      ['ST', 'a, b'],
      ['O', 'One'],
      ['O', 'Two'],
      ['OU', 'u'],
      ['SERIALNUMBER', '42'],
      ['1.2.840.113549.1.9.1', 'a@b.c'],
    ]),
  );
  assert.match(
    subject.text,
    /^SERIALNUMBER=42,ST=a\\, b,OU=u,O=One\+O=Two,C=US,1\.2\.840\.113549\.1\.9\.1=#\w+$/,
  );
  assert.equal(
    JSON.stringify(subject.json),
    '{"Country":["US"],"Organization":["One","Two"],"OrganizationalUnit":["u"],"Locality":null,"Province":["a, b"],"StreetAddress":null,"PostalCode":null,"SerialNumber":"42","CommonName":"","Names":[{"Type":[2,5,4,6],"Value":"US"},{"Type":[2,5,4,8],"Value":"a, b"},{"Type":[2,5,4,10],"Value":"One"},{"Type":[2,5,4,10],"Value":"Two"},{"Type":[2,5,4,11],"Value":"u"},{"Type":[2,5,4,5],"Value":"42"},{"Type":[1,2,840,113549,1,9,1],"Value":"a@b.c"}],"ExtraNames":null}',
  );
  assert.equal(
    JSON.stringify(logSubject(nameDer([])).json),
    '{"Country":null,"Organization":null,"OrganizationalUnit":null,"Locality":null,"Province":null,"StreetAddress":null,"PostalCode":null,"SerialNumber":"","CommonName":"","Names":null,"ExtraNames":null}',
  );
});
