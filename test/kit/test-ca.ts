import { parseCsr } from '../../src/crypto/csr.ts';
import { signJws } from '../../src/crypto/jose/jws.ts';
import { generateKey, type PrivateKey } from '../../src/crypto/keys.ts';
import { buildCertificate, randomSerialNumber } from '../../src/crypto/x509/build-certificate.ts';
import { type Certificate, parseCertificate } from '../../src/crypto/x509/certificate.ts';
import { type Bundle, emptyBundle } from '../../src/spiffe/bundle.ts';
import {
  agentTemplate,
  selfSignedCaTemplate,
  serverTemplate,
  workloadTemplate,
} from '../../src/spiffe/profiles.ts';
import type { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../src/spiffe/trust-domain.ts';

export type Lifetime = { readonly notBefore: number; readonly notAfter: number };

/** A trust domain's authorities, X.509 and JWT, that sign what a test asks for. */
export class TestCa {
  readonly trustDomain: TrustDomain;
  readonly certificate: Certificate;
  readonly jwtKeyId: string;
  readonly #key: PrivateKey;

  private constructor(trustDomain: TrustDomain, key: PrivateKey, certificate: Certificate) {
    this.trustDomain = trustDomain;
    this.certificate = certificate;
    this.jwtKeyId = `key-${certificate.serialNumber}`;
    this.#key = key;
  }

  /** Both sign with one key: a test looks at what was signed, not at how. */
  static async create(trustDomain: TrustDomain, lifetime: Lifetime): Promise<TestCa> {
    const key = await generateKey('ec-p256');
    const template = selfSignedCaTemplate(
      trustDomain,
      { C: ['US'], O: ['TEST'] },
      { serialNumber: randomSerialNumber(), publicKey: key.publicKey.spki, ...lifetime },
    );
    return new TestCa(trustDomain, key, parseCertificate(await buildCertificate(template, key)));
  }

  bundle({ tainted = false, sequenceNumber = 1n } = {}): Bundle {
    return {
      ...emptyBundle(this.trustDomain),
      x509Authorities: [{ der: this.certificate.der, tainted }],
      jwtAuthorities: [
        { publicKey: this.#key.publicKey.spki, keyId: this.jwtKeyId, expiresAt: 0, tainted },
      ],
      sequenceNumber,
    };
  }

  agentSvid(id: SpiffeId, csr: Uint8Array, lifetime: Lifetime): Promise<Uint8Array> {
    return this.#sign(agentTemplate(id, this.#basics(publicKeyOf(csr), lifetime), this.#issuer));
  }

  workloadSvid(id: SpiffeId, csr: Uint8Array, lifetime: Lifetime): Promise<Uint8Array> {
    const basics = this.#basics(publicKeyOf(csr), lifetime);
    return this.#sign(workloadTemplate({ id, dnsNames: [] }, basics, this.#issuer));
  }

  async serverSvid(lifetime: Lifetime): Promise<{ chain: Uint8Array[]; key: PrivateKey }> {
    const key = await generateKey('ec-p256');
    const basics = this.#basics(key.publicKey.spki, lifetime);
    return {
      chain: [await this.#sign(serverTemplate(this.trustDomain, basics, this.#issuer))],
      key,
    };
  }

  jwtSvid(
    id: SpiffeId,
    audience: readonly string[],
    { notBefore, notAfter }: Lifetime,
  ): Promise<string> {
    const payload = { aud: [...audience], exp: notAfter, iat: notBefore, sub: id.toString() };
    const header = { alg: 'ES256', kid: this.jwtKeyId, typ: 'JWT' };
    return signJws({ header, payload }, this.#key, 'ES256');
  }

  #basics(publicKey: Uint8Array, lifetime: Lifetime) {
    return { serialNumber: randomSerialNumber(), publicKey, ...lifetime };
  }

  get #issuer() {
    const { subject, subjectKeyId } = this.certificate;
    return { subject, subjectKeyId: subjectKeyId ?? new Uint8Array() };
  }

  #sign(template: Parameters<typeof buildCertificate>[0]): Promise<Uint8Array> {
    return buildCertificate(template, this.#key);
  }
}

const publicKeyOf = (csr: Uint8Array): Uint8Array => parseCsr(csr).publicKey.spki;
