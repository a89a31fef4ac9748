import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey } from '../keys.ts';
import { buildCertificate, type CertificateTemplate } from './build-certificate.ts';
import { parseCertificate } from './certificate.ts';
import { nameDer } from './name.ts';

const name = nameDer([['CN', 'a']]);
const key = await generateKey('ec-p256');
const template: CertificateTemplate = {
  serialNumber: 1n,
  issuer: name,
  subject: name,
  notBefore: 0,
  notAfter: 1,
  publicKey: key.publicKey.spki,
  keyUsage: ['keyCertSign'],
  basicConstraints: { ca: true },
  subjectKeyId: Buffer.from('ski'),
  dnsNames: [],
  uris: ['spiffe://a'],
};
const extensionsOf = async (content: CertificateTemplate) =>
  parseCertificate(await buildCertificate(content, key)).extensions;
const named = { oid: '2.5.29.17', critical: true, value: Buffer.from('3003820162', 'hex') };
const unknown = { oid: '1.2.3.4', critical: false, value: Buffer.from('0500', 'hex') };

test('extra extensions come last, as they are, instead of those of their kind', async () => {
  const own = await extensionsOf(template);
  const kept = own.filter(({ oid }) => oid !== named.oid);
  assert.equal(kept.length, own.length - 1);
  const extended = await extensionsOf({ ...template, extraExtensions: [unknown, named] });
  assert.deepEqual(
    extended.map(({ oid, critical, value }) => [oid, critical, Buffer.from(value)]),
    [...kept, unknown, named].map(({ oid, critical, value }) => [
      oid,
      critical,
      Buffer.from(value),
    ]),
  );
});

test('no extra extensions leave everything as it is', async () => {
  assert.deepEqual(
    await extensionsOf({ ...template, extraExtensions: [] }),
    await extensionsOf(template),
  );
});
