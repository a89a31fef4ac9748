/** Cases where Steeple does more than SPIRE's agent, and so answers otherwise (README). */
export const beyondCases: readonly { readonly why: string; readonly names: readonly string[] }[] = [
  {
    why: 'Envoy may ask for changes only',
    names: ['sds: DeltaSecrets', 'stranger sds: DeltaSecrets'],
  },
  {
    why: 'the own bundle and all bundles may be asked for together',
    names: ['sds: ["ROOTCA" "ALL"] (FetchSecrets)', 'sds: ["ROOTCA" "ALL"] (StreamSecrets)'],
  },
];
