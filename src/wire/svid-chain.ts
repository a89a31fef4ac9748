import type { Certificate } from '../crypto/x509/certificate.ts';
import { nameText } from '../crypto/x509/name.ts';
import { x509SvidId } from '../spiffe/x509-svid.ts';
import { spiffeIdToProto } from './spiffe-id.ts';

/** A verified chain, root included, as the Debug services of server and agent tell of it: what makes up their `Cert`. */
export const chainToProto = (
  chain: readonly Pick<Certificate, 'uris' | 'notAfter' | 'subject'>[],
) =>
  chain.map((certificate) => ({
    ...idOf(certificate),
    expiresAt: BigInt(certificate.notAfter),
    subject: nameText(certificate.subject),
  }));

/** A root may be anybody's certificate: one without a single SPIFFE ID shows none. */
function idOf(certificate: Pick<Certificate, 'uris'>) {
  try {
    return { id: spiffeIdToProto(x509SvidId(certificate)) };
  } catch {
    return {};
  }
}
