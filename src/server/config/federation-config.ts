import type { FederationRelationship } from '../../spiffe/federation-relationship.ts';

/** The `federation` section (`reference/server.md` §2.2), checked. */
export type FederationConfig = {
  /** undefined: none is served. */
  readonly bundleEndpoint: BundleEndpointConfig | undefined;
  readonly federatesWith: readonly FederationRelationship[];
};

export type BundleEndpointConfig = {
  /** An IP address; undefined: all of the machine. */
  readonly address: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
  /** With a fraction, as configured. */
  readonly refreshHintSeconds: number;
  readonly identity: EndpointIdentityConfig;
};

/** Who the endpoint proves to be. */
export type EndpointIdentityConfig =
  /** The server, by its own SVID. */
  { readonly kind: 'svid' } | CertificateFilesConfig | AcmeConfig;

export type CertificateFilesConfig = {
  readonly kind: 'certificate-files';
  readonly certFilePath: string;
  readonly keyFilePath: string;
  readonly syncIntervalSeconds: number;
};

export type AcmeConfig = {
  readonly kind: 'acme';
  readonly directoryUrl: string;
  readonly domainName: string;
  readonly email: string;
  readonly tosAccepted: boolean;
};
