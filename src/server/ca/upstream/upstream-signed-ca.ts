import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { buildCsr } from '../../../crypto/csr.ts';
import type { Signer } from '../../../crypto/signer.ts';
import { randomSerialNumber } from '../../../crypto/x509/build-certificate.ts';
import type { Certificate } from '../../../crypto/x509/certificate.ts';
import { caSubject } from '../../../spiffe/profiles.ts';
import type { Subject } from '../../../spiffe/subject.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import type { X509Ca } from '../authority.ts';
import type { Upstream } from './upstream.ts';
import { verifyUpstreamCa } from './verify-upstream-ca.ts';

export type UpstreamSignedCaDeps = {
  readonly upstream: Pick<Upstream, 'mintX509Ca'>;
  readonly trustDomain: TrustDomain;
  readonly subject: Subject;
  readonly ttlSeconds: number;
  readonly clock: Pick<Clock, 'now'>;
};

/** A CA of that key below the upstream authority's roots, which are in the bundle when it resolves. */
export async function upstreamSignedCa(
  { upstream, trustDomain, subject, ttlSeconds, clock }: UpstreamSignedCaDeps,
  signer: Signer,
): Promise<Omit<X509Ca, 'authorityId'>> {
  const csr = await buildCsr(
    {
      subject: caSubject(subject, randomSerialNumber()),
      uris: [trustDomain.idString],
      dnsNames: [],
    },
    signer,
  );
  const chain = await upstream.mintX509Ca({
    csr,
    ttlSeconds,
    verify: (answer) =>
      verifyUpstreamCa({ ...answer, signer, trustDomain, now: unixSeconds(clock) }),
  });
  const [certificate] = chain;
  return {
    issuedAt: unixSeconds(clock),
    notAfter: chainNotAfter(chain),
    signer,
    certificate,
    upstreamChain: chain.map(({ der }) => der),
    upstreamAuthorityId: Buffer.from(certificate.authorityKeyId ?? []).toString('hex'),
  };
}

/** What is signed by a CA verifies no longer than each certificate above it. */
export const chainNotAfter = (chain: readonly Pick<Certificate, 'notAfter'>[]): number =>
  Math.min(...chain.map(({ notAfter }) => notAfter));
