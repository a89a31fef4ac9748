import { constants } from 'node:crypto';
import type { TlsOptions } from 'node:tls';
import { writePem } from '../../crypto/pem.ts';
import type { ServerSvid } from './server-svid.ts';

/**
 * What the TCP listener presents and demands (`reference/server.md` §5.3): TLS 1.2 or later, and a client
 * certificate is asked for without naming any CA. Whether OpenSSL would trust it does not matter: the chain is
 * verified against bundles after the handshake.
 *
 * Sessions cannot be resumed: a ticket would let a client skip the chain check after its CA was revoked.
 */
export const tlsContext = ({ chain, key }: ServerSvid) =>
  ({
    cert: chain.map((der) => writePem('CERTIFICATE', der)).join(''),
    key: writePem('PRIVATE KEY', key.toPkcs8()),
    ca: [],
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }) satisfies TlsOptions;
