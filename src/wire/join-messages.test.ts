import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { BundleSchema, X509CertificateSchema } from './gen/spire/api/types/bundle_pb.ts';
import { joinMessages } from './join-messages.ts';

test('joined messages are what serialising them together gives', () => {
  const sizes = fc.oneof(fc.nat(300), fc.constantFrom(127, 128, 16_383, 16_384));
  fc.assert(
    fc.property(fc.array(sizes, { maxLength: 5 }), (lengths) => {
      const x509Authorities = lengths.map((length) =>
        create(X509CertificateSchema, { asn1: new Uint8Array(length).fill(length) }),
      );
      const together = toBinary(BundleSchema, create(BundleSchema, { x509Authorities }));
      const each = x509Authorities.map((one) => toBinary(X509CertificateSchema, one));
      const { number } = BundleSchema.field.x509Authorities;
      assert.equal(Buffer.compare(joinMessages(number, each), together), 0);
    }),
  );
});

test('a field number above 15 has a tag of two bytes', () => {
  assert.deepEqual([...joinMessages(16, [Uint8Array.of(7)])], [0x82, 0x01, 1, 7]);
});

test('no messages are no bytes', () => {
  assert.equal(joinMessages(1, []).length, 0);
});
