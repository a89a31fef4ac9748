import { Fault, reasonOf } from '../../../base/fault.ts';
import type { Signer } from '../../../crypto/signer.ts';
import { buildCertificate, randomSerialNumber } from '../../../crypto/x509/build-certificate.ts';
import type { Certificate, KeyUsage } from '../../../crypto/x509/certificate.ts';
import { emptyBundle } from '../../../spiffe/bundle.ts';
import { serverTemplate, validity } from '../../../spiffe/profiles.ts';
import type { TrustDomain } from '../../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../../spiffe/x509-svid.ts';
import type { MintAnswer } from './check-answer.ts';

export type UpstreamCa = MintAnswer & {
  /** The key that the CA was asked for. */
  readonly signer: Signer;
  readonly trustDomain: TrustDomain;
  /** Unix seconds. */
  readonly now: number;
};

/**
 * Resolves if SVIDs that are signed with this CA will verify: it is a CA, of this trust domain, in time, of our key,
 * and a chain leads from what it signs to the roots (`reference/server.md` §7.2). Throws 'invalid' in SPIRE's words.
 */
export async function verifyUpstreamCa(upstream: UpstreamCa): Promise<void> {
  const { chain, trustDomain, now } = upstream;
  const broken = rules.find(([isBroken]) => isBroken(chain[0], trustDomain, now));
  if (broken !== undefined) {
    const [, why] = broken;
    throw refusal(
      `invalid upstream-signed X509 CA: invalid X509 CA: ${why(chain[0], trustDomain)}`,
    );
  }
  await verifyBySigning(upstream);
}

type Rule = readonly [
  isBroken: (ca: Certificate, trustDomain: TrustDomain, now: number) => boolean,
  why: (ca: Certificate, trustDomain: TrustDomain) => string,
];

const CA_USAGES: ReadonlySet<KeyUsage> = new Set(['keyCertSign', 'cRLSign', 'digitalSignature']);

/** In SPIRE's order; the last is ours: without such an ID its key could not be named in what it signs. */
const rules: readonly Rule[] = [
  [
    ({ basicConstraints }) => basicConstraints === undefined,
    () => 'basic constraints are not valid',
  ],
  [({ basicConstraints }) => basicConstraints?.ca !== true, () => 'cA constraint is not set'],
  [
    ({ keyUsage }) => keyUsage?.has('keyCertSign') !== true,
    () => 'keyCertSign key usage must be set',
  ],
  [
    ({ keyUsage }) => [...(keyUsage ?? [])].some((usage) => !CA_USAGES.has(usage)),
    () => 'only keyCertSign, cRLSign, or digitalSignature key usage can be set',
  ],
  [
    ({ uris }, { idString }) => uris.some((uri) => uri !== idString) || uris.length > 1,
    ({ uris }, { idString }) => `expected URI SAN "${idString}" but got "${uris.join(', ')}"`,
  ],
  [
    ({ notBefore }, _, now) => now < notBefore,
    ({ notBefore }) => `not yet valid until ${rfc3339(notBefore)}`,
  ],
  [
    ({ notAfter }, _, now) => now >= notAfter,
    ({ notAfter }) => `already expired as of ${rfc3339(notAfter)}`,
  ],
  [({ subjectKeyId }) => !subjectKeyId?.length, () => 'subject key ID is missing'],
];

/** A throw-away SVID, signed and verified as all will be. */
async function verifyBySigning({
  chain,
  roots,
  signer,
  trustDomain,
  now,
}: UpstreamCa): Promise<void> {
  const [ca] = chain;
  if (Buffer.compare(ca.spki, signer.publicKey.spki) !== 0) {
    throw refusal(
      "failed to sign validation certificate: x509: provided PrivateKey doesn't match parent's PublicKey",
    );
  }
  const template = serverTemplate(
    trustDomain,
    {
      serialNumber: randomSerialNumber(),
      publicKey: signer.publicKey.spki,
      ...validity(now, THROWAWAY_SECONDS, ca.notAfter),
    },
    { subject: ca.subject, subjectKeyId: ca.subjectKeyId ?? new Uint8Array() },
  );
  const uris = [`${trustDomain.idString}/spire/throwaway`];
  const leaf = await buildCertificate({ ...template, uris }, signer);
  const bundle = { ...emptyBundle(trustDomain), x509Authorities: roots };
  try {
    await verifyX509Svid([leaf, ...chain.map(({ der }) => der)], () => bundle, now);
  } catch (error) {
    throw refusal(`X509 CA produced an invalid X509-SVID chain: ${reasonOf(error)}`, error);
  }
}

const THROWAWAY_SECONDS = 60;

const refusal = (why: string, cause?: unknown): Fault =>
  new Fault('invalid', `X509 CA minted by upstream authority is invalid: ${why}`, { cause });

const rfc3339 = (unixSeconds: number): string =>
  new Date(unixSeconds * 1000).toISOString().replace('.000Z', 'Z');
