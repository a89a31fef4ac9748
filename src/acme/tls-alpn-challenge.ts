import { createHash } from 'node:crypto';
import { octetString } from '../crypto/der/writer.ts';
import { generateKey, type PrivateKey } from '../crypto/keys.ts';
import { buildCertificate, randomSerialNumber } from '../crypto/x509/build-certificate.ts';
import { nameDer } from '../crypto/x509/name.ts';

/** The protocol that a server asks for when it looks whether a domain is ours (RFC 8737 §4). */
export const ACME_TLS_PROTOCOL = 'acme-tls/1';

const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const DAY = 24 * 60 * 60;

/** The self-signed certificate that proves who holds the domain (RFC 8737 §3). */
export async function challengeCertificate(
  domain: string,
  keyAuthorization: string,
  now: number,
): Promise<{ readonly certificate: Uint8Array; readonly key: PrivateKey }> {
  const key = await generateKey('ec-p256');
  const name = nameDer([['CN', 'ACME challenge']]);
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const certificate = await buildCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: name,
      subject: name,
      notBefore: now - DAY,
      notAfter: now + DAY,
      publicKey: key.publicKey.spki,
      keyUsage: ['digitalSignature'],
      dnsNames: [domain],
      uris: [],
      extraExtensions: [
        { oid: ACME_IDENTIFIER, critical: true, value: octetString(new Uint8Array(digest)) },
      ],
    },
    key,
  );
  return { certificate, key };
}
