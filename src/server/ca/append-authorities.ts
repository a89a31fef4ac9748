import type { Bundle, KeyAuthority, X509Authority } from '../../spiffe/bundle.ts';
import { emptyBundle } from '../../spiffe/bundle.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';

export type NewAuthorities = Partial<
  Pick<Bundle, 'x509Authorities' | 'jwtAuthorities' | 'witAuthorities'>
>;

/**
 * The bundle with what it lacks of those, in their order (`reference/server.md` §6.3); undefined if it lacks
 * nothing. Items are compared whole. The sequence number grows by one; a bundle made by this starts with 0.
 */
export function appendAuthorities(
  stored: Bundle | undefined,
  trustDomain: TrustDomain,
  { x509Authorities = [], jwtAuthorities = [], witAuthorities = [] }: NewAuthorities,
): Bundle | undefined {
  const bundle = stored ?? emptyBundle(trustDomain);
  const x509 = lacking(bundle.x509Authorities, x509Authorities, sameX509Authority);
  const jwt = lacking(bundle.jwtAuthorities, jwtAuthorities, sameKeyAuthority);
  const wit = lacking(bundle.witAuthorities, witAuthorities, sameKeyAuthority);
  if (stored && x509.length + jwt.length + wit.length === 0) return undefined;
  return {
    ...bundle,
    x509Authorities: [...bundle.x509Authorities, ...x509],
    jwtAuthorities: [...bundle.jwtAuthorities, ...jwt],
    witAuthorities: [...bundle.witAuthorities, ...wit],
    sequenceNumber: stored ? stored.sequenceNumber + 1n : 0n,
  };
}

function lacking<T>(held: readonly T[], added: readonly T[], same: (a: T, b: T) => boolean): T[] {
  const lacks: T[] = [];
  for (const one of added) {
    if (![...held, ...lacks].some((other) => same(one, other))) lacks.push(one);
  }
  return lacks;
}

const sameX509Authority = (a: X509Authority, b: X509Authority): boolean =>
  a.tainted === b.tainted && sameBytes(a.der, b.der);

const sameKeyAuthority = (a: KeyAuthority, b: KeyAuthority): boolean =>
  a.keyId === b.keyId &&
  a.expiresAt === b.expiresAt &&
  a.tainted === b.tainted &&
  sameBytes(a.publicKey, b.publicKey);

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
