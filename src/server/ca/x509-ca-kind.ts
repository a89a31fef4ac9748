import { create } from '@bufbuild/protobuf';
import { type Clock, unixSeconds } from '../../base/clock.ts';
import { wrapFault } from '../../base/fault.ts';
import type { KeyType } from '../../crypto/keys.ts';
import { subjectKeyId } from '../../crypto/keys.ts';
import type { Signer } from '../../crypto/signer.ts';
import { buildCertificate, randomSerialNumber } from '../../crypto/x509/build-certificate.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { KeyManager } from '../../plugins/key-manager/contract.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { selfSignedCaTemplate, validity } from '../../spiffe/profiles.ts';
import type { Subject } from '../../spiffe/subject.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { Status, X509CAEntrySchema } from '../../wire/gen/private/server/journal/journal_pb.ts';
import type { SlotId, X509Ca } from './authority.ts';
import type { AuthorityKind } from './authority-kind.ts';
import type { BundleKeeper } from './bundle-keeper.ts';
import type { Upstream } from './upstream/upstream.ts';
import { chainNotAfter, upstreamSignedCa } from './upstream/upstream-signed-ca.ts';

export type X509CaKindDeps = {
  readonly keyManager: Pick<KeyManager, 'generateKey' | 'getKey'>;
  readonly keeper: Pick<BundleKeeper, 'append'>;
  readonly bundle: () => Bundle | undefined;
  readonly trustDomain: TrustDomain;
  readonly keyType: KeyType;
  readonly subject: Subject;
  readonly ttlSeconds: number;
  readonly clock: Pick<Clock, 'now'>;
  /** undefined: the CAs sign themselves. */
  readonly upstream: Pick<Upstream, 'mintX509Ca'> | undefined;
};

export function createX509CaKind(deps: X509CaKindDeps): AuthorityKind<X509Ca, 'x509CAs'> {
  return {
    name: 'X509 CA',
    journalList: 'x509CAs',

    async prepare(slot) {
      const { upstream } = deps;
      const signer = await deps.keyManager.generateKey(x509CaKeyId(slot), deps.keyType);
      const authorityId = x509AuthorityId(signer.publicKey.spki);
      const ca = await (upstream === undefined
        ? selfSignedCa(deps, signer)
        : upstreamSignedCa({ ...deps, upstream }, signer));
      return { ...ca, authorityId };
    },

    validFrom: ({ certificate }) => certificate.notBefore,

    toJournal: (slot, ca) =>
      create(X509CAEntrySchema, {
        slotId: slot,
        issuedAt: BigInt(ca.issuedAt),
        certificate: ca.certificate.der,
        upstreamChain: [...ca.upstreamChain],
        status: Status.PREPARED,
        authorityId: ca.authorityId,
        notAfter: BigInt(ca.notAfter),
        upstreamAuthorityId: ca.upstreamAuthorityId,
      }),

    async fromJournal(slot, entry) {
      const certificate = decodeCertificate(entry.certificate);
      const signer = await deps.keyManager.getKey(x509CaKeyId(slot));
      if (signer === undefined) return { unusable: 'no key manager key' };
      if (!sameBytes(signer.publicKey.spki, certificate.spki)) {
        return { unusable: 'public key does not match key manager key' };
      }
      const selfSigned = entry.upstreamChain.length === 0;
      if (selfSigned && !holdsCertificate(deps.bundle(), certificate.der)) {
        return { unusable: 'certificate is not in the bundle' };
      }
      return {
        authorityId: entry.authorityId,
        issuedAt: Number(entry.issuedAt),
        notAfter: chainNotAfter([certificate, ...entry.upstreamChain.map(decodeCertificate)]),
        signer,
        certificate,
        upstreamChain: entry.upstreamChain,
        upstreamAuthorityId: entry.upstreamAuthorityId,
      };
    },

    logFields: ({ upstreamChain, upstreamAuthorityId }) => ({
      prepared: {
        self_signed: upstreamChain.length === 0,
        upstream_authority_id: upstreamAuthorityId,
      },
      activated: { upstream_authority_id: upstreamAuthorityId },
    }),
  };
}

/** It is in the bundle when it resolves. */
async function selfSignedCa(
  deps: X509CaKindDeps,
  signer: Signer,
): Promise<Omit<X509Ca, 'authorityId'>> {
  const issuedAt = unixSeconds(deps.clock);
  const template = selfSignedCaTemplate(deps.trustDomain, deps.subject, {
    serialNumber: randomSerialNumber(),
    publicKey: signer.publicKey.spki,
    ...validity(issuedAt, deps.ttlSeconds),
  });
  const certificate = parseCertificate(await buildCertificate(template, signer));
  await deps.keeper.append({ x509Authorities: [{ der: certificate.der, tainted: false }] });
  return {
    issuedAt,
    notAfter: certificate.notAfter,
    signer,
    certificate,
    upstreamChain: [],
    upstreamAuthorityId: '',
  };
}

export const x509CaKeyId = (slot: SlotId): string => `x509-CA-${slot}`;

/** How a certificate of that key is known as an authority: its subject key ID in lower-case hex. */
export const x509AuthorityId = (spki: Uint8Array): string =>
  Buffer.from(subjectKeyId(spki)).toString('hex');

function decodeCertificate(der: Uint8Array) {
  try {
    return parseCertificate(der);
  } catch (error) {
    throw wrapFault('unable to parse CA certificate', error, 'internal');
  }
}

const holdsCertificate = (bundle: Bundle | undefined, der: Uint8Array): boolean =>
  bundle?.x509Authorities.some((authority) => sameBytes(authority.der, der)) ?? false;

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
