/** Methods of the server API that come with a later issue: those who may call them are told so. */
export const laterMethods: ReadonlySet<string> = new Set(
  ['svid.v1.SVID/BatchNewWITSVID'].map((method) => `spire.api.server.${method}`),
);
