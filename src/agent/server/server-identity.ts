import { Fault } from '../../base/fault.ts';
import { goQuote } from '../../base/go-quote.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { Bundle } from '../../spiffe/bundle.ts';
import { SpiffeId } from '../../spiffe/spiffe-id.ts';
import type { TrustDomain } from '../../spiffe/trust-domain.ts';
import { verifyX509Svid } from '../../spiffe/x509-svid.ts';

/** Throws unless this is a server of the bundle's trust domain (`reference/agent.md` §2.8). */
export async function verifyServer(
  chain: readonly Uint8Array[],
  bundle: Bundle,
  atUnixSeconds: number,
): Promise<void> {
  const { trustDomain } = bundle;
  const bundleOf = (asked: TrustDomain) => (asked.equals(trustDomain) ? bundle : undefined);
  const { id } = await verifyX509Svid(chain, bundleOf, atUnixSeconds);
  if (!id.equals(SpiffeId.server(trustDomain))) {
    throw new Fault('unauthenticated', `unexpected ID "${id.toString()}"`);
  }
}

/** All that an insecure bootstrap looks at: what the server calls itself (`reference/agent.md` §2.3). */
export function checkClaimedServer(chain: readonly Uint8Array[], trustDomain: TrustDomain): void {
  const expected = SpiffeId.server(trustDomain).toString();
  const uris = chain[0] === undefined ? [] : parseCertificate(chain[0]).uris;
  if (uris.length !== 1 || uris[0] !== expected) {
    const got = uris.map(goQuote).join(' ');
    throw new Fault('unauthenticated', `expected server SPIFFE ID "${expected}"; got [${got}]`);
  }
}
