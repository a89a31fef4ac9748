import { createPrivateKey } from 'node:crypto';
import type { PrivateKey } from '../keys.ts';

/** In the order in which SPIRE's commands print them (RFC 7518 §6.2, §6.3). */
const MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/** The JWK of a key pair, secret members included. */
export type PrivateJwk = { readonly [member in (typeof MEMBERS)[number]]?: string };

export function privateJwk(key: Pick<PrivateKey, 'toPkcs8'>): PrivateJwk {
  const der = Buffer.from(key.toPkcs8());
  const jwk = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({
    format: 'jwk',
  });
  return Object.fromEntries(
    MEMBERS.filter((member) => jwk[member] !== undefined).map((member) => [member, jwk[member]]),
  );
}
