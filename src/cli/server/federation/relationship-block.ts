import type { FederationRelationship } from '../../../wire/gen/spire/api/types/federationrelationship_pb.ts';

/** One relationship as all `federation` commands print it (`reference/cli.md` §4.9.1). */
export function relationshipBlock({
  trustDomain,
  bundleEndpointUrl,
  bundleEndpointProfile: profile,
}: FederationRelationship): string {
  const lines: readonly (readonly [label: string, value: string])[] = [
    ['Trust domain', trustDomain],
    ['Bundle endpoint URL', bundleEndpointUrl],
    ...profileLines(profile),
  ];
  return lines.map(([label, value]) => `${label.padEnd(LABEL_WIDTH)}: ${value}\n`).join('');
}

const LABEL_WIDTH = 26;

function profileLines(profile: FederationRelationship['bundleEndpointProfile']) {
  const label = 'Bundle endpoint profile';
  switch (profile.case) {
    case 'httpsWeb':
      return [[label, 'https_web']] as const;
    case 'httpsSpiffe':
      return [
        [label, 'https_spiffe'],
        ['Endpoint SPIFFE ID', profile.value.endpointSpiffeId],
      ] as const;
    case undefined:
      return [];
    default:
      return profile satisfies never;
  }
}
