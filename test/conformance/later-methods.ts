/** Methods of the server API that come with a later issue: those who may call them are told so. */
export const laterMethods: ReadonlySet<string> = new Set(
  [
    'svid.v1.SVID/BatchNewWITSVID',
    'trustdomain.v1.TrustDomain/BatchCreateFederationRelationship',
    'trustdomain.v1.TrustDomain/BatchDeleteFederationRelationship',
    'trustdomain.v1.TrustDomain/BatchUpdateFederationRelationship',
    'trustdomain.v1.TrustDomain/GetFederationRelationship',
    'trustdomain.v1.TrustDomain/ListFederationRelationships',
    'trustdomain.v1.TrustDomain/RefreshBundle',
  ].map((method) => `spire.api.server.${method}`),
);
