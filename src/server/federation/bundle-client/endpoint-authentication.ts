import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { getCACertificates, type TLSSocket } from 'node:tls';
import { type Clock, unixSeconds } from '../../../base/clock.ts';
import { Fault } from '../../../base/fault.ts';
import { goQuote } from '../../../base/go-quote.ts';
import { presentedChain } from '../../../base/presented-chain.ts';
import { parseCertificate } from '../../../crypto/x509/certificate.ts';
import type { Bundle } from '../../../spiffe/bundle.ts';
import { SpiffeId } from '../../../spiffe/spiffe-id.ts';
import { verifyX509Svid } from '../../../spiffe/x509-svid.ts';

/** How it is found out who serves a bundle endpoint (SPIFFE Federation §5.2). */
export type EndpointAuthentication = {
  /** PEM, for OpenSSL's own check of the chain. */
  readonly authorities: readonly string[];
  /** After the handshake. Throws to refuse; nothing of what the endpoint says may be used before. */
  verify(socket: TLSSocket, host: string): Promise<void>;
};

/** It shows the SVID with that ID, which its trust domain's bundle verifies. */
export const spiffeAuthentication = (
  endpointId: SpiffeId,
  bundle: Bundle,
  clock: Pick<Clock, 'now'>,
): EndpointAuthentication => ({
  authorities: [],
  async verify(socket) {
    const { id } = await verifyX509Svid(
      presentedChain(socket),
      (trustDomain) => (trustDomain.equals(bundle.trustDomain) ? bundle : undefined),
      unixSeconds(clock),
    );
    if (!id.equals(endpointId)) {
      throw new Fault('unauthenticated', `unexpected ID ${goQuote(id.toString())}`);
    }
  },
});

/** Its certificate is for the URL's host, and one of the machine's authorities vouches for it. */
export const webAuthentication = (
  authorities: readonly string[] = getCACertificates('system'),
): EndpointAuthentication => ({
  authorities,
  async verify(socket, host) {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || !isFor(host, certificate)) {
      const names = hostNames(certificate?.subjectAltName);
      throw new WrongNameFault(wrongName(host, names), presentedId(socket));
    }
    if (!socket.authorized) throw unverified(String(socket.authorizationError));
  },
});

/** A certificate that is for another name; where it is an SVID, the wrong profile is configured. */
export class WrongNameFault extends Fault {
  readonly spiffeId: SpiffeId | undefined;

  constructor(message: string, spiffeId: SpiffeId | undefined) {
    super('unauthenticated', `tls: failed to verify certificate: ${message}`);
    this.spiffeId = spiffeId;
  }
}

/** Never by the common name, which RFC 6125 §6.4.4 lets nobody go by who has a choice. */
const isFor = (host: string, certificate: X509Certificate): boolean =>
  (isIP(host) === 0
    ? certificate.checkHost(host, { subject: 'never', partialWildcards: false })
    : certificate.checkIP(host)) !== undefined;

type HostNames = { readonly dns: readonly string[]; readonly ip: readonly string[] };

/** Of Node's text of a certificate's names, only for a person to read: `DNS:a.test, IP Address:192.0.2.1`. */
function hostNames(text = ''): HostNames {
  const after = (start: string) =>
    text
      .split(', ')
      .filter((name) => name.startsWith(start))
      .map((name) => name.slice(start.length));
  return { dns: after('DNS:'), ip: after('IP Address:') };
}

/** In Go's words. */
function wrongName(host: string, { dns, ip }: HostNames): string {
  const isAddress = isIP(host) !== 0;
  const valid = (isAddress ? ip : dns).join(', ');
  if (valid !== '') return `x509: certificate is valid for ${valid}, not ${host}`;
  return isAddress
    ? `x509: cannot validate certificate for ${host} because it doesn't contain any IP SANs`
    : `x509: certificate is not valid for any names, but wanted to match ${host}`;
}

function presentedId(socket: TLSSocket): SpiffeId | undefined {
  try {
    const [leaf = new Uint8Array()] = presentedChain(socket);
    return SpiffeId.parse(parseCertificate(leaf).uris[0] ?? '');
  } catch {
    return undefined; // not an SVID, then
  }
}

/** OpenSSL's reasons in Go's words; others as they are. */
const reasons: Readonly<Record<string, string | undefined>> = {
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'x509: certificate has expired or is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'x509: certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'x509: certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'x509: certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'x509: certificate signed by unknown authority',
};

const unverified = (code: string): Fault =>
  new Fault('unauthenticated', `tls: failed to verify certificate: ${reasons[code] ?? code}`);
