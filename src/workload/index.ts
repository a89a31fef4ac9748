/**
 * The client library of the SPIFFE Workload API for Node: identities that are always fresh, mTLS that knows SPIFFE IDs,
 * tokens that are verified offline. Works with Steeple's agent and with SPIRE's.
 *
 *     import { authorizeMemberOf, createMtlsServer, X509Source } from 'steeple/workload';
 */
export { Fault, type FaultKind } from '../base/fault.ts';
export type { Certificate } from '../crypto/x509/certificate.ts';
export type { Bundle, KeyAuthority, X509Authority } from '../spiffe/bundle.ts';
export { readBundleDocument, writeBundleDocument } from '../spiffe/bundle-document.ts';
export { type JwtSvid, verifyJwtSvid } from '../spiffe/jwt-svid.ts';
export { SpiffeId } from '../spiffe/spiffe-id.ts';
export { TrustDomain } from '../spiffe/trust-domain.ts';
export { verifyX509Svid } from '../spiffe/x509-svid.ts';
export { parseX509Svid, writeX509Svid } from '../spiffe/x509-svid-file.ts';
export {
  type Authorizer,
  authorizeAny,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
} from './authorizers.ts';
export { BundleSource } from './bundle-source.ts';
export { grpcCredentials, serveGrpc } from './grpc.ts';
export { connectHttp2 } from './http2-session.ts';
export { MtlsAgent } from './https-agent.ts';
export { JwtSource } from './jwt-source.ts';
export { connectMtls, type MtlsClientOptions, type MtlsConnectOptions } from './mtls-client.ts';
export { createMtlsServer, type MtlsServerOptions, type ServerSource } from './mtls-server.ts';
export { peerIdOf } from './peer.ts';
export type { Bundles, IssuedJwtSvid, X509Context, X509Svid } from './responses.ts';
export { mtlsConnector, type UndiciConnector, type UndiciTarget } from './undici-connector.ts';
export { type JwtSvidOptions, WorkloadApi, type WorkloadApiOptions } from './workload-api.ts';
export {
  type SourceOptions,
  type X509Material,
  X509Source,
  type X509SourceOptions,
} from './x509-source.ts';
