import type { Metrics } from '../../ops/metrics.ts';
import type { Issuer } from './contract.ts';

const X509_SVID = ['server_ca', 'sign', 'x509_svid'];
const X509_CA_SVID = ['server_ca', 'sign', 'x509_ca_svid'];
const JWT_SVID = ['server_ca', 'sign', 'jwt_svid'];

/** Counts what was signed (`reference/server.md` §12). */
export function countedIssuer(issuer: Issuer, metrics: Metrics): Issuer {
  const counted = async <T>(key: readonly string[], signing: Promise<T>): Promise<T> => {
    const signed = await signing;
    metrics.counter(key, 1);
    return signed;
  };
  return {
    workloadX509Svid: (request) => counted(X509_SVID, issuer.workloadX509Svid(request)),
    agentX509Svid: (id, key) => counted(X509_SVID, issuer.agentX509Svid(id, key)),
    serverX509Svid: (key) => counted(X509_SVID, issuer.serverX509Svid(key)),
    downstreamX509Ca: (request) => counted(X509_CA_SVID, issuer.downstreamX509Ca(request)),
    workloadJwtSvid: (request) => counted(JWT_SVID, issuer.workloadJwtSvid(request)),
    workloadWitSvid: (request) => issuer.workloadWitSvid(request),
  };
}
